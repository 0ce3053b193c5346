-- What tells somebody one of their sessions from another: the kind of browser, by a list of our own, and the network, without
-- the bits that tell a subscriber. Null where it is not known, or a node of the version before has begun the session.
ALTER TABLE sessions
    ADD COLUMN client text CHECK (octet_length(client) BETWEEN 1 AND 40),
    ADD COLUMN network text CHECK (octet_length(network) BETWEEN 1 AND 49);
GRANT INSERT (client, network) ON sessions TO sluice_app;

-- Who may, sees and ends the sessions of their account, and of its people. Refresh secrets are not to be seen.
GRANT SELECT (created_at, client, network), UPDATE (revoked_at) ON sessions TO sluice_api;
GRANT UPDATE (generation) ON users TO sluice_api;
GRANT UPDATE (session_generation) ON account_people TO sluice_api;
