CREATE TABLE provider_rests (
    provider text NOT NULL,
    -- An address of ours; empty where the system picks it.
    source text NOT NULL,
    until timestamptz NOT NULL,
    -- Of the reply that decided.
    code integer NOT NULL,
    enhanced text NOT NULL,
    PRIMARY KEY (provider, source));
GRANT SELECT, INSERT, UPDATE, DELETE ON provider_rests TO sluice_app;
