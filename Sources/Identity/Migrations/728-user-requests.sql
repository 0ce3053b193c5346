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

REVOKE ALL ON user_request_windows FROM PUBLIC, sluice_app;
GRANT SELECT, INSERT, UPDATE ON user_request_windows TO sluice_app;
