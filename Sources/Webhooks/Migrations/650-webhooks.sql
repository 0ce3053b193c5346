-- Where an account wants to be told what happens. Address and secrets are sealed under the account's key.
CREATE TABLE webhook_endpoints (
    account_id bigint NOT NULL REFERENCES accounts,
    endpoint_id bigint NOT NULL,
    sealed bytea NOT NULL,
    -- One bit for each type of event that is wanted.
    types bigint NOT NULL CHECK (types > 0),
    batch_size smallint NOT NULL CHECK (batch_size BETWEEN 1 AND 100),
    description text NOT NULL CHECK (octet_length(description) <= 200),
    -- Null while it is active.
    disabled_reason text CHECK (octet_length(disabled_reason) BETWEEN 1 AND 60),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    replays integer NOT NULL DEFAULT 0,
    -- Who delivers to it at the moment.
    lease_node text,
    lease_until timestamptz,
    -- It is left alone until then.
    rest_until timestamptz,
    failures integer NOT NULL DEFAULT 0,
    failing_since timestamptz,
    delivered bigint NOT NULL DEFAULT 0,
    failed bigint NOT NULL DEFAULT 0,
    dropped bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (account_id, endpoint_id)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON webhook_endpoints TO sluice_app;

-- What has happened, in packs of up to 100 events: written in the transaction of what they tell of, kept for three days.
CREATE TABLE webhook_events (
    account_id bigint NOT NULL,
    event_no bigint GENERATED ALWAYS AS IDENTITY,
    -- 0 where it is no campaign's.
    campaign_id bigint NOT NULL,
    types bigint NOT NULL,
    events smallint NOT NULL CHECK (events BETWEEN 1 AND 100),
    octets integer NOT NULL,
    facts bytea NOT NULL,
    -- Addresses and replies, sealed under the campaign's key or, without a campaign, the account's. Null once delivered.
    private bytea,
    -- Endpoints that have it not yet.
    waiting smallint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (account_id, event_no) INCLUDE (octets)
);
CREATE INDEX webhook_events_by_age ON webhook_events (created_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON webhook_events TO sluice_app;

-- What an endpoint is still to be told, or a part of a pack. Rows of one message have its number: it is made once, so that
-- a repetition under its name tells the same.
CREATE TABLE webhook_deliveries (
    account_id bigint NOT NULL,
    endpoint_id bigint NOT NULL,
    campaign_id bigint NOT NULL,
    event_no bigint NOT NULL,
    first_event smallint NOT NULL DEFAULT 0,
    end_event smallint NOT NULL,
    replay integer NOT NULL DEFAULT 0,
    message_no bigint,
    attempts smallint NOT NULL DEFAULT 0,
    next_at timestamptz NOT NULL DEFAULT '-infinity',
    PRIMARY KEY (account_id, endpoint_id, campaign_id, event_no)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON webhook_deliveries TO sluice_app;

-- What became of the latest messages.
CREATE TABLE webhook_attempts (
    account_id bigint NOT NULL,
    endpoint_id bigint NOT NULL,
    attempt_no bigint GENERATED ALWAYS AS IDENTITY,
    message text NOT NULL,
    events smallint NOT NULL,
    attempt smallint NOT NULL,
    status smallint,
    milliseconds integer NOT NULL,
    error text,
    attempted_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, endpoint_id, attempt_no)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON webhook_attempts TO sluice_app;

-- Keeps packs for the endpoints that want one of their types, and nothing where there is none.
CREATE FUNCTION append_webhook_events(
    accounts bigint[], campaigns bigint[], masks bigint[], counts smallint[], facts bytea[], privates bytea[]
) RETURNS bigint LANGUAGE plpgsql SET plan_cache_mode = 'force_generic_plan' AS $$
#variable_conflict use_column
DECLARE
    v_queued bigint;
BEGIN
    -- Most accounts have none.
    IF NOT EXISTS (
        SELECT FROM webhook_endpoints e
        WHERE e.account_id = ANY (append_webhook_events.accounts) AND e.disabled_reason IS NULL)
    THEN
        RETURN 0;
    END IF;
    WITH packs AS (
        SELECT p.*, (
            SELECT count(*) FROM webhook_endpoints e
            WHERE e.account_id = p.account_id AND e.disabled_reason IS NULL AND e.types & p.types <> 0) AS waiting
        FROM unnest(accounts, campaigns, masks, counts, facts, privates) WITH ORDINALITY
            AS p (account_id, campaign_id, types, events, facts, private, place)),
    stored AS (
        INSERT INTO webhook_events (account_id, campaign_id, types, events, octets, facts, private, waiting)
        SELECT account_id, campaign_id, types, events, octet_length(facts) + coalesce(octet_length(private), 0), facts,
            private, waiting
        FROM packs WHERE waiting > 0 ORDER BY place
        RETURNING account_id, campaign_id, event_no, types, events),
    queued AS (
        INSERT INTO webhook_deliveries (account_id, endpoint_id, campaign_id, event_no, end_event)
        SELECT s.account_id, e.endpoint_id, s.campaign_id, s.event_no, s.events
        FROM stored s JOIN webhook_endpoints e
            ON e.account_id = s.account_id AND e.disabled_reason IS NULL AND e.types & s.types <> 0
        RETURNING 1)
    SELECT count(*) INTO v_queued FROM queued;
    RETURN v_queued;
END $$;
