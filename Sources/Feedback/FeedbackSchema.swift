package import Postgres

/// The table of suppressions. It follows the ledger's, whose accounts it refers to.
package enum FeedbackSchema {
    /// Versions 300–399.
    package static let migrations = [
        Migration(version: 300, name: "suppressions", sql: sql),
        Migration(version: 340, name: "addresses found dead", sql: deadAddresses),
    ]

    private static let deadAddresses = """
        -- Which campaigns have found an address dead since mail was delivered to it. Outlives them.
        CREATE TABLE dead_addresses (
            account_id bigint NOT NULL REFERENCES accounts,
            fingerprint bytea NOT NULL CHECK (octet_length(fingerprint) = 16),
            campaigns bigint[] NOT NULL,
            seen_at timestamptz NOT NULL,
            PRIMARY KEY (account_id, fingerprint)
        );
        GRANT SELECT, INSERT, UPDATE, DELETE ON dead_addresses TO sluice_app;
        """

    private static let sql = """
        CREATE TABLE suppressions (
            account_id bigint NOT NULL REFERENCES accounts,
            fingerprint bytea NOT NULL CHECK (octet_length(fingerprint) = 16),
            reason smallint NOT NULL CHECK (reason BETWEEN 1 AND 5),
            origin text NOT NULL CHECK (origin IN ('customer', 'reply', 'feedback', 'recipient', 'operator')),
            note text CHECK (octet_length(note) <= 500),
            created_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (account_id, fingerprint)
        );
        CREATE INDEX suppressions_by_age ON suppressions (account_id, created_at, fingerprint);

        REVOKE ALL ON suppressions FROM PUBLIC, sluice_app;
        GRANT SELECT, INSERT (account_id, fingerprint, reason, origin, note), UPDATE (reason, origin, note), DELETE
            ON suppressions TO sluice_app;
        """
}
