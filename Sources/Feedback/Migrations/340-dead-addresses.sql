-- Which campaigns have found an address dead since mail was delivered to it. Outlives them.
CREATE TABLE dead_addresses (
    account_id bigint NOT NULL REFERENCES accounts,
    fingerprint bytea NOT NULL CHECK (octet_length(fingerprint) = 16),
    campaigns bigint[] NOT NULL,
    seen_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, fingerprint)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON dead_addresses TO sluice_app;
