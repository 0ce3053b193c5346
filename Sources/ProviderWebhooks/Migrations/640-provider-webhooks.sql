-- Providers that report over HTTPS what became of mails. Of the installation, not of an account: who a report is about, its
-- token tells. The secret of the address is kept as its hash, what verifies reports is sealed.
CREATE TABLE provider_sources (
    source_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    provider text NOT NULL CHECK (octet_length(provider) BETWEEN 1 AND 20),
    name text NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 100),
    secret_hash bytea NOT NULL UNIQUE CHECK (octet_length(secret_hash) = 32),
    sealed bytea NOT NULL CHECK (octet_length(sealed) <= 65536),
    -- What a source of `sluice feedback test` reports is undone, and the source goes after this moment.
    test_until timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    last_at timestamptz,
    payloads bigint NOT NULL DEFAULT 0,
    events bigint NOT NULL DEFAULT 0,
    recognised bigint NOT NULL DEFAULT 0,
    noted bigint NOT NULL DEFAULT 0
);
GRANT SELECT, INSERT, UPDATE, DELETE ON provider_sources TO sluice_app;

-- What a provider has sent, sealed until it is worked off; then the row stays for some days, without what was sent, so that a
-- repetition is known.
CREATE TABLE provider_payloads (
    source_id bigint NOT NULL REFERENCES provider_sources ON DELETE CASCADE,
    receipt bytea NOT NULL CHECK (octet_length(receipt) = 32),
    digest bytea NOT NULL CHECK (octet_length(digest) = 32),
    octets integer NOT NULL,
    sealed bytea,
    received_at timestamptz NOT NULL DEFAULT now(),
    due_at timestamptz NOT NULL DEFAULT now(),
    problem text CHECK (octet_length(problem) <= 60),
    events integer NOT NULL DEFAULT 0,
    recognised integer NOT NULL DEFAULT 0,
    noted integer NOT NULL DEFAULT 0,
    PRIMARY KEY (source_id, receipt)
);
CREATE INDEX provider_payloads_waiting ON provider_payloads (due_at) INCLUDE (octets) WHERE sealed IS NOT NULL;
CREATE INDEX provider_payloads_done ON provider_payloads (received_at) WHERE sealed IS NULL;
-- Sealed octets do not shrink.
ALTER TABLE provider_payloads ALTER COLUMN sealed SET STORAGE EXTERNAL;
GRANT SELECT, INSERT, UPDATE, DELETE ON provider_payloads TO sluice_app;
