CREATE TABLE api_key_hashes (
    key_hash bytea PRIMARY KEY CHECK (octet_length(key_hash) = 32),
    account_id bigint NOT NULL,
    key_id bigint GENERATED ALWAYS AS IDENTITY
);

CREATE TABLE api_keys (
    account_id bigint NOT NULL REFERENCES accounts,
    key_id bigint NOT NULL,
    name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 100),
    mode text NOT NULL CHECK (mode IN ('live', 'test')),
    display_prefix text NOT NULL CHECK (char_length(display_prefix) = 12),
    created_at timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz,
    revoked_at timestamptz,
    PRIMARY KEY (account_id, key_id)
) WITH (fillfactor = 70);

CREATE TABLE idempotency_keys (
    account_id bigint NOT NULL REFERENCES accounts,
    scope text NOT NULL,
    key text NOT NULL,
    request_hash bytea NOT NULL,
    status smallint,
    content_type text,
    body bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, scope, key),
    CONSTRAINT idempotency_keys_answer CHECK ((status IS NULL) = (body IS NULL))
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

REVOKE ALL ON api_key_hashes, api_keys, idempotency_keys FROM PUBLIC, sluice_app;
GRANT SELECT, INSERT (key_hash, account_id) ON api_key_hashes TO sluice_app;
GRANT SELECT, INSERT (account_id, key_id, name, mode, display_prefix), UPDATE (last_used_at, revoked_at)
    ON api_keys TO sluice_app;
GRANT SELECT, INSERT, UPDATE (status, content_type, body), DELETE ON idempotency_keys TO sluice_app;
