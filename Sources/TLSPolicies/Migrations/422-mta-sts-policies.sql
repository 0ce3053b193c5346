CREATE TABLE mta_sts_policies (
    domain text PRIMARY KEY,
    -- Of the TXT record that announced the policy.
    id text NOT NULL,
    mode text NOT NULL,
    -- Patterns of mail hosts.
    mx text[] NOT NULL,
    max_age_seconds integer NOT NULL,
    fetched_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    -- When this row was written: nodes read what is new. One in use is fetched and written every day.
    kept_at timestamptz NOT NULL);
CREATE INDEX mta_sts_policies_kept ON mta_sts_policies (kept_at);
CREATE INDEX mta_sts_policies_expiring ON mta_sts_policies (expires_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON mta_sts_policies TO sluice_app;
