-- What the operator has listed for all accounts. Fingerprints and seals are under a key of the installation; the account's
-- number is that key's, and no account's.
CREATE TABLE installation_suppressions (
    account_id bigint NOT NULL DEFAULT 0 CHECK (account_id = 0),
    fingerprint bytea NOT NULL CHECK (octet_length(fingerprint) = 16),
    reason smallint NOT NULL CHECK (reason BETWEEN 1 AND 5),
    origin text NOT NULL CHECK (origin IN ('customer', 'reply', 'feedback', 'recipient', 'operator')),
    note text CHECK (octet_length(note) <= 500),
    sealed bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, fingerprint)
);
CREATE INDEX installation_suppressions_by_age ON installation_suppressions (account_id, created_at, fingerprint);
CREATE INDEX installation_suppressions_by_reason
    ON installation_suppressions (account_id, reason, created_at, fingerprint);
REVOKE ALL ON installation_suppressions FROM PUBLIC, sluice_app;
GRANT SELECT, INSERT, UPDATE (reason, origin, note, sealed), DELETE ON installation_suppressions TO sluice_app;
-- The address, sealed under the account's key, where the account itself has named it.
ALTER TABLE suppressions ADD COLUMN sealed bytea;
GRANT INSERT (sealed, created_at), UPDATE (sealed) ON suppressions TO sluice_app;
