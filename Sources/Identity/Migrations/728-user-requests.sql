-- As request_windows (711), for people who have signed in: all sessions of a user together.
CREATE UNLOGGED TABLE user_request_windows (
    account_id bigint NOT NULL,
    user_id bigint NOT NULL,
    started_at timestamptz NOT NULL,
    used integer NOT NULL,
    -- Of the last question.
    granted integer NOT NULL,
    PRIMARY KEY (account_id, user_id)
) WITH (fillfactor = 50);

-- See take_requests.
CREATE FUNCTION take_user_requests(
    p_account bigint, p_user bigint, p_requests integer, p_limit integer,
    OUT granted integer, OUT used integer, OUT seconds integer
) LANGUAGE sql AS $$
    INSERT INTO user_request_windows AS w (account_id, user_id, started_at, used, granted)
    VALUES (p_account, p_user, now(), least(p_requests, p_limit), least(p_requests, p_limit))
    ON CONFLICT (account_id, user_id) DO UPDATE SET (started_at, used, granted) = (
        SELECT CASE WHEN o.is_open THEN w.started_at ELSE now() END,
            CASE WHEN o.is_open THEN w.used + o.granted ELSE excluded.used END,
            CASE WHEN o.is_open THEN o.granted ELSE excluded.granted END
        FROM (SELECT abs(extract(epoch FROM now() - w.started_at)) < 60 AS is_open,
            greatest(0, least(p_requests, p_limit - w.used)) AS granted) o)
    RETURNING w.granted, w.used, greatest(1, ceil(extract(epoch FROM w.started_at - now()) + 60))::integer
$$;

REVOKE ALL ON user_request_windows FROM PUBLIC, sluice_app;
REVOKE ALL ON FUNCTION take_user_requests(bigint, bigint, integer, integer) FROM PUBLIC;
GRANT SELECT, INSERT, UPDATE ON user_request_windows TO sluice_app;
GRANT EXECUTE ON FUNCTION take_user_requests(bigint, bigint, integer, integer) TO sluice_app;
