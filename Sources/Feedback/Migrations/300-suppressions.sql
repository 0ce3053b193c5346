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
