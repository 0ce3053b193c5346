-- Keys that sign session tokens, sealed under a key of the vault.
CREATE TABLE session_keys (
    key_id text PRIMARY KEY,
    sealed bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE sessions (
    account_id bigint NOT NULL,
    session_id bigint GENERATED ALWAYS AS IDENTITY,
    user_id bigint NOT NULL,
    -- SHA-256 of the secret that brings a new token.
    refresh_hash bytea NOT NULL CHECK (octet_length(refresh_hash) = 32),
    -- Of the user and of the account when it began.
    user_generation bigint NOT NULL,
    account_generation bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    last_seen_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    PRIMARY KEY (account_id, session_id),
    FOREIGN KEY (account_id, user_id) REFERENCES users ON DELETE CASCADE
) WITH (fillfactor = 70);
CREATE INDEX sessions_user ON sessions (account_id, user_id, session_id);
CREATE INDEX sessions_age ON sessions (last_seen_at);

REVOKE ALL ON session_keys, sessions FROM PUBLIC, sluice_app;
GRANT SELECT, INSERT (key_id, sealed), DELETE ON session_keys TO sluice_app;
GRANT SELECT, INSERT (account_id, user_id, refresh_hash, user_generation, account_generation, expires_at),
    UPDATE (last_seen_at, revoked_at), DELETE ON sessions TO sluice_app;
