ALTER TABLE domains
    ADD COLUMN state text NOT NULL DEFAULT 'pending'
        CHECK (state IN ('pending', 'verified', 'failing', 'stopped')),
    -- What the account may publish as a TXT record in place of key and return path: 244 random bits.
    ADD COLUMN challenge text NOT NULL
        DEFAULT replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''),
    ADD COLUMN verified_at timestamptz,
    ADD COLUMN failing_since timestamptz,
    ADD COLUMN checked_at timestamptz,
    ADD COLUMN next_check_at timestamptz NOT NULL DEFAULT now(),
    -- It has stopped, and not all of its campaigns are paused yet.
    ADD COLUMN pausing boolean NOT NULL DEFAULT false;
CREATE INDEX domains_due ON domains (next_check_at);
CREATE INDEX domains_pausing ON domains (account_id, domain) WHERE pausing;

-- Who has proven a domain. Unique over all accounts, so it has no account_id in front.
CREATE TABLE domain_owners (
    domain text PRIMARY KEY,
    account_id bigint NOT NULL,
    FOREIGN KEY (account_id, domain) REFERENCES domains ON DELETE CASCADE
);
CREATE INDEX domain_owners_account ON domain_owners (account_id, domain);

-- What the DNS said of each record when it was asked last.
CREATE TABLE domain_findings (
    account_id bigint NOT NULL,
    domain text NOT NULL,
    name text NOT NULL,
    purpose text NOT NULL,
    state text NOT NULL CHECK (state IN ('found', 'missing', 'wrong', 'unknown')),
    seen text,
    note text,
    PRIMARY KEY (account_id, domain, name, purpose),
    FOREIGN KEY (account_id, domain) REFERENCES domains ON DELETE CASCADE
);

-- Domains that sent before there were proofs go on for the grace time, the first account's where several have one.
INSERT INTO domain_owners (domain, account_id)
SELECT DISTINCT ON (domain) domain, account_id FROM domains ORDER BY domain, created_at, account_id;
UPDATE domains d SET state = 'failing', failing_since = now()
FROM domain_owners o WHERE o.domain = d.domain AND o.account_id = d.account_id;

REVOKE ALL ON domain_owners, domain_findings FROM PUBLIC, sluice_app;
GRANT SELECT, INSERT, DELETE ON domain_owners, domain_findings TO sluice_app;
