-- What the operator has set for an account; accounts without a row have the defaults.
CREATE TABLE account_shaping (
    account_id bigint PRIMARY KEY REFERENCES accounts (account_id),
    -- Its share where accounts compete.
    weight integer NOT NULL DEFAULT 1 CHECK (weight BETWEEN 1 AND 1000),
    -- Mails a second, all sites together; NULL without a cap.
    rate double precision CHECK (rate > 0),
    -- The pool of source addresses that its mail leaves from; NULL for the default pool.
    pool text CHECK (pool <> '')
);

-- One bucket for each limited site and source address, shared by all nodes.
CREATE TABLE site_tokens (
    site text PRIMARY KEY,
    tokens double precision NOT NULL,
    refilled_at timestamptz NOT NULL
) WITH (fillfactor = 50);

-- What each source that warms up has sent to each provider on a day (UTC).
CREATE TABLE source_usage (
    source text NOT NULL,
    provider text NOT NULL,
    day integer NOT NULL,
    sent bigint NOT NULL,
    PRIMARY KEY (source, provider, day)
) WITH (fillfactor = 50);

-- Grants up to `p_wanted` whole tokens of a bucket that fills at `p_rate` a second up to `p_burst`.
CREATE FUNCTION lease_site_tokens(
    p_site text, p_rate double precision, p_burst double precision, p_wanted integer)
RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    v_tokens double precision;
    v_granted integer;
BEGIN
    INSERT INTO site_tokens (site, tokens, refilled_at) VALUES (p_site, p_burst, clock_timestamp())
    ON CONFLICT DO NOTHING;
    SELECT least(p_burst, t.tokens
        + greatest(0, extract(epoch FROM clock_timestamp() - t.refilled_at)) * p_rate)
    INTO v_tokens FROM site_tokens t WHERE t.site = p_site FOR UPDATE;
    v_granted := greatest(0, least(p_wanted, floor(v_tokens)::integer));
    UPDATE site_tokens t SET tokens = v_tokens - v_granted, refilled_at = clock_timestamp()
    WHERE t.site = p_site;
    RETURN v_granted;
END $$;

-- Says that the node lives; returns how many do.
CREATE FUNCTION heartbeat(p_node text, p_seconds double precision) RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
    UPDATE nodes SET seen_at = clock_timestamp() WHERE node = p_node;
    RETURN (SELECT count(*) FROM nodes WHERE seen_at > clock_timestamp() - make_interval(secs => p_seconds));
END $$;

-- As before, without the accounts in `p_waiting`, which have reached the cap of their rate.
CREATE FUNCTION claim_batches(
    p_node text, p_seconds double precision, p_limit integer, p_waiting bigint[])
RETURNS TABLE (
    account_id bigint, campaign_id bigint, batch_no integer, epoch bigint, state smallint, attempt integer)
LANGUAGE plpgsql SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    v_accounts bigint[];
    v_filled bigint[];
    v_left integer := p_limit;
    v_share integer;
    v_count integer;
    v_next timestamptz;
BEGIN
    SELECT array_agg(q.account_id) INTO v_accounts
    FROM (
        SELECT a.account_id FROM account_queue a WHERE a.next_due <= clock_timestamp() AND a.account_id <> ALL (p_waiting)
        ORDER BY a.served_at, a.account_id LIMIT p_limit FOR UPDATE SKIP LOCKED) q;

    WHILE v_left > 0 AND cardinality(v_accounts) > 0 LOOP
        v_filled := '{}';
        FOR place IN 1 .. cardinality(v_accounts) LOOP
            EXIT WHEN v_left = 0;
            v_share := ceil(v_left::numeric / (cardinality(v_accounts) - place + 1));
            RETURN QUERY
                WITH active AS (
                    SELECT b.campaign_id, count(*) AS batches FROM batches b
                    WHERE b.account_id = v_accounts[place] AND b.lease_node IS NOT NULL
                        AND b.lease_until > clock_timestamp()
                    GROUP BY b.campaign_id),
                ranked AS (
                    SELECT f.campaign_id, f.batch_no, f.due_at,
                        coalesce(active.batches, 0)
                            + row_number() OVER (PARTITION BY f.campaign_id ORDER BY f.due_at, f.batch_no)
                            AS turn
                    FROM campaigns c
                    CROSS JOIN LATERAL (
                        SELECT b.campaign_id, b.batch_no, b.due_at FROM batches b
                        WHERE b.account_id = v_accounts[place] AND b.campaign_id = c.campaign_id
                            AND b.state IN (1, 4) AND b.due_at <= clock_timestamp()
                            AND (b.lease_until IS NULL OR b.lease_until <= clock_timestamp())
                        ORDER BY b.due_at, b.batch_no LIMIT v_share) f
                    LEFT JOIN active ON active.campaign_id = f.campaign_id
                    WHERE c.account_id = v_accounts[place] AND c.purged_at IS NULL
                        AND c.state IN ('scheduled', 'queued', 'sending', 'cancelled')),
                picked AS (
                    SELECT b.campaign_id, b.batch_no
                    FROM ranked r
                    JOIN batches b ON b.account_id = v_accounts[place] AND b.campaign_id = r.campaign_id
                        AND b.batch_no = r.batch_no
                    WHERE b.state IN (1, 4) AND b.due_at <= clock_timestamp()
                        AND (b.lease_until IS NULL OR b.lease_until <= clock_timestamp())
                    ORDER BY r.turn, r.due_at, r.campaign_id, r.batch_no
                    LIMIT v_share
                    FOR NO KEY UPDATE OF b SKIP LOCKED)
                UPDATE batches b
                SET lease_node = p_node, lease_until = clock_timestamp() + make_interval(secs => p_seconds),
                    epoch = b.epoch + 1, last_group = 0
                FROM picked
                WHERE b.account_id = v_accounts[place] AND b.campaign_id = picked.campaign_id
                    AND b.batch_no = picked.batch_no
                RETURNING b.account_id, b.campaign_id, b.batch_no, b.epoch, b.state, b.attempt;
            GET DIAGNOSTICS v_count = ROW_COUNT;
            v_left := v_left - v_count;
            IF v_count = v_share THEN
                v_filled := v_filled || v_accounts[place];
                UPDATE account_queue q SET served_at = clock_timestamp()
                WHERE q.account_id = v_accounts[place];
            ELSE
                -- Nothing more is due now: when is something again, counting leases that may run out?
                SELECT min(greatest(b.due_at, b.lease_until)) INTO v_next
                FROM batches b WHERE b.account_id = v_accounts[place] AND b.state IN (1, 4);
                IF v_next IS NULL THEN
                    DELETE FROM account_queue q WHERE q.account_id = v_accounts[place];
                ELSE
                    UPDATE account_queue q SET next_due = v_next, served_at = clock_timestamp()
                    WHERE q.account_id = v_accounts[place];
                END IF;
            END IF;
        END LOOP;
        v_accounts := v_filled;
    END LOOP;
END $$;

DROP FUNCTION claim_batches(text, double precision, integer);
GRANT SELECT, INSERT, UPDATE, DELETE ON account_shaping, site_tokens, source_usage TO sluice_app;
GRANT EXECUTE ON FUNCTION
    claim_batches(text, double precision, integer, bigint[]),
    lease_site_tokens(text, double precision, double precision, integer),
    heartbeat(text, double precision)
TO sluice_app;
