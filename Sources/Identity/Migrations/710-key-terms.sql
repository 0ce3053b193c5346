-- What a key is for, where and how long. No list of scopes means all: the keys that were there before.
ALTER TABLE api_keys
    ADD COLUMN scopes text[] CHECK (cardinality(scopes) BETWEEN 1 AND 100),
    ADD COLUMN networks text[] NOT NULL DEFAULT '{}' CHECK (cardinality(networks) <= 100),
    ADD COLUMN expires_at timestamptz;

GRANT INSERT (scopes, networks, expires_at) ON api_keys TO sluice_app;

-- A key that was revoked never comes back, whoever asks for it.
CREATE FUNCTION api_keys_stay_revoked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a revoked API key stays revoked' USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER api_keys_stay_revoked BEFORE UPDATE ON api_keys
    FOR EACH ROW WHEN (OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS DISTINCT FROM OLD.revoked_at)
    EXECUTE FUNCTION api_keys_stay_revoked();
ALTER TABLE api_keys ENABLE ALWAYS TRIGGER api_keys_stay_revoked;
