-- Accounts at certificate authorities, one for a directory. Their keys are sealed under the master key.
CREATE TABLE acme_accounts (
    directory text PRIMARY KEY CHECK (char_length(directory) BETWEEN 1 AND 1000),
    sealed_key bytea NOT NULL,
    -- Where the authority has put the account; none until it is registered.
    url text CHECK (char_length(url) BETWEEN 1 AND 1000),
    created_at timestamptz NOT NULL DEFAULT now()
);

-- One certificate for all names of an installation, and the state of its next order.
CREATE TABLE acme_certificates (
    directory text NOT NULL,
    -- Sorted, with commas.
    names text NOT NULL CHECK (char_length(names) BETWEEN 3 AND 30000),
    due_at timestamptz NOT NULL DEFAULT now(),
    -- Of the node that has an order under way; what it brings counts under its attempt alone.
    leased_until timestamptz,
    attempt bigint NOT NULL DEFAULT 0,
    failures integer NOT NULL DEFAULT 0 CHECK (failures >= 0),
    problem text CHECK (char_length(problem) <= 500),
    -- How many certificates there have been: nodes load what is new.
    version bigint NOT NULL DEFAULT 0,
    chain text CHECK (char_length(chain) <= 200000),
    sealed_key bytea,
    not_before timestamptz,
    not_after timestamptz,
    -- When a node last had these names among its settings, to the hour.
    wanted_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (directory, names),
    CONSTRAINT acme_certificates_whole CHECK (
        (chain IS NULL) = (version = 0) AND (sealed_key IS NULL) = (version = 0)
        AND (not_before IS NULL) = (version = 0) AND (not_after IS NULL) = (version = 0))
);

-- What an authority is to find while an order is under way, on whichever node it asks. No secrets.
CREATE TABLE acme_challenges (
    token text PRIMARY KEY CHECK (char_length(token) BETWEEN 1 AND 200),
    name text NOT NULL,
    key_authorization text NOT NULL CHECK (char_length(key_authorization) BETWEEN 1 AND 300),
    expires_at timestamptz NOT NULL
);

REVOKE ALL ON acme_accounts, acme_certificates, acme_challenges FROM PUBLIC, sluice_app;
GRANT SELECT, INSERT (directory, sealed_key), UPDATE (url) ON acme_accounts TO sluice_app;
GRANT SELECT, INSERT (directory, names), UPDATE ON acme_certificates TO sluice_app;
GRANT SELECT, INSERT, DELETE ON acme_challenges TO sluice_app;
