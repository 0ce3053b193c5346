-- Requests of a key in a minute; none: as the operator has set for all keys.
ALTER TABLE api_keys ADD COLUMN requests_per_minute integer CHECK (requests_per_minute BETWEEN 1 AND 1000000);
GRANT INSERT (requests_per_minute), UPDATE (requests_per_minute) ON api_keys TO sluice_app;

-- The present window of each key. Nothing depends on it after a crash, so it costs no write-ahead log.
CREATE UNLOGGED TABLE request_windows (
    account_id bigint NOT NULL,
    key_id bigint NOT NULL,
    started_at timestamptz NOT NULL,
    used integer NOT NULL,
    -- Of the last question.
    granted integer NOT NULL,
    PRIMARY KEY (account_id, key_id)
) WITH (fillfactor = 50);

-- Counts requests in the key's window, a new one where the last is over, as far as the limit goes. A clock that was set back
-- begins a new window too.
CREATE FUNCTION take_requests(
    p_account bigint, p_key bigint, p_requests integer, p_limit integer,
    OUT granted integer, OUT used integer, OUT seconds integer
) LANGUAGE sql AS $$
    INSERT INTO request_windows AS w (account_id, key_id, started_at, used, granted)
    VALUES (p_account, p_key, now(), least(p_requests, p_limit), least(p_requests, p_limit))
    ON CONFLICT (account_id, key_id) DO UPDATE SET (started_at, used, granted) = (
        SELECT CASE WHEN o.is_open THEN w.started_at ELSE now() END,
            CASE WHEN o.is_open THEN w.used + o.granted ELSE excluded.used END,
            CASE WHEN o.is_open THEN o.granted ELSE excluded.granted END
        FROM (SELECT abs(extract(epoch FROM now() - w.started_at)) < 60 AS is_open,
            greatest(0, least(p_requests, p_limit - w.used)) AS granted) o)
    RETURNING w.granted, w.used, greatest(1, ceil(extract(epoch FROM w.started_at - now()) + 60))::integer
$$;

REVOKE ALL ON request_windows FROM PUBLIC, sluice_app;
REVOKE ALL ON FUNCTION take_requests(bigint, bigint, integer, integer) FROM PUBLIC;
GRANT SELECT, INSERT, UPDATE ON request_windows TO sluice_app;
GRANT EXECUTE ON FUNCTION take_requests(bigint, bigint, integer, integer) TO sluice_app;
