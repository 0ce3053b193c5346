-- See 730. A key is looked up by its hash before its account is known, by sessions of sluice_app.
SELECT isolate_accounts('api_key_hashes', 'api_keys', 'request_windows', 'idempotency_keys');

GRANT SELECT (account_id, key_id), INSERT (key_hash, account_id) ON api_key_hashes TO sluice_api;
GRANT SELECT, UPDATE (revoked_at),
    INSERT (account_id, key_id, name, mode, display_prefix, scopes, networks, expires_at, requests_per_minute)
    ON api_keys TO sluice_api;
GRANT SELECT, INSERT, UPDATE ON request_windows TO sluice_api;
GRANT EXECUTE ON FUNCTION take_requests(bigint, bigint, integer, integer) TO sluice_api;
GRANT SELECT, INSERT, UPDATE (status, content_type, body) ON idempotency_keys TO sluice_api;
