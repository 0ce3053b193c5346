-- wrapped is null once the key is destroyed: the row stays to tell "destroyed" from "never there".
-- Dead row versions still hold wrapped keys, so autovacuum clears them after few updates.
CREATE TABLE campaign_keys (
    account_id bigint NOT NULL,
    campaign_id bigint NOT NULL,
    wrapped bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    destroyed_at timestamptz,
    PRIMARY KEY (account_id, campaign_id),
    CHECK ((wrapped IS NULL) = (destroyed_at IS NOT NULL))
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10);

CREATE TABLE account_keys (
    account_id bigint PRIMARY KEY,
    wrapped bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE vault_check (
    only_row smallint PRIMARY KEY DEFAULT 1 CHECK (only_row = 1),
    sealed bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE FUNCTION refuse_key_revival() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a campaign key changes only by being destroyed';
END $$;
CREATE TRIGGER campaign_keys_only_destroyed BEFORE UPDATE ON campaign_keys
    FOR EACH ROW WHEN (NEW.wrapped IS NOT NULL OR OLD.wrapped IS NULL)
    EXECUTE FUNCTION refuse_key_revival();

GRANT SELECT, INSERT ON campaign_keys, account_keys, vault_check TO sluice_app;
GRANT UPDATE (wrapped, destroyed_at) ON campaign_keys TO sluice_app;
