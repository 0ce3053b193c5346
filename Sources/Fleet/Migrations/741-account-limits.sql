-- What operators have set for accounts in place of what holds for all. A version that does not know a name passes it over.
CREATE TABLE account_limits (
    account_id bigint NOT NULL REFERENCES accounts,
    name text NOT NULL CHECK (name ~ '^[a-z_]{1,50}$'),
    value bigint NOT NULL CHECK (value >= 0),
    PRIMARY KEY (account_id, name)
);

REVOKE ALL ON account_limits FROM PUBLIC, sluice_app;
GRANT SELECT, INSERT, UPDATE (value), DELETE ON account_limits TO sluice_app;
