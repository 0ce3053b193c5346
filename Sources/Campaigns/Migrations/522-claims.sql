CREATE INDEX campaigns_active ON campaigns (account_id, campaign_id)
    WHERE purged_at IS NULL AND results_until IS NULL AND state <> 'draft';
CREATE INDEX campaigns_drafts ON campaigns (account_id, created_at) WHERE state = 'draft';
CREATE INDEX campaigns_drafts_by_age ON campaigns (created_at) WHERE state = 'draft';
CREATE INDEX batches_claimable ON batches (account_id, campaign_id, due_at, batch_no) WHERE state IN (1, 4);

-- As before. When something is due again is found from the first batch of each campaign that nobody has, and from
-- the leases of the account: all batches of a campaign that can be claimed are open, or all are being cancelled.
CREATE OR REPLACE FUNCTION claim_batches(
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
    -- Once for each look: no index is searched by a function that has another value for each row.
    v_now timestamptz;
BEGIN
    SELECT array_agg(q.account_id) INTO v_accounts
    FROM (
        SELECT a.account_id FROM account_queue a
        WHERE a.next_due <= clock_timestamp() AND a.account_id <> ALL (p_waiting)
        ORDER BY a.served_at, a.account_id LIMIT p_limit FOR UPDATE SKIP LOCKED) q;

    WHILE v_left > 0 AND cardinality(v_accounts) > 0 LOOP
        v_filled := '{}';
        FOR place IN 1 .. cardinality(v_accounts) LOOP
            EXIT WHEN v_left = 0;
            v_now := clock_timestamp();
            v_share := ceil(v_left::numeric / (cardinality(v_accounts) - place + 1));
            RETURN QUERY
                WITH active AS (
                    SELECT b.campaign_id, count(*) AS batches FROM batches b
                    WHERE b.account_id = v_accounts[place] AND b.lease_node IS NOT NULL
                        AND b.lease_until > v_now
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
                            AND b.state IN (1, 4) AND b.due_at <= v_now
                            AND (b.lease_until IS NULL OR b.lease_until <= v_now)
                        ORDER BY b.due_at, b.batch_no
                        LIMIT CASE
                            WHEN c.rate_per_hour IS NULL OR c.state = 'cancelled'
                                OR c.expires_at <= v_now THEN v_share
                            ELSE 1 END) f
                    LEFT JOIN active ON active.campaign_id = f.campaign_id
                    WHERE c.account_id = v_accounts[place] AND c.purged_at IS NULL
                        AND c.results_until IS NULL AND c.state <> 'draft'
                        AND (c.state = 'cancelled' OR c.state IN ('scheduled', 'queued', 'sending')
                            AND claimable_at(c.account_id, c.campaign_id, c.expires_at)
                                <= v_now)),
                picked AS (
                    SELECT b.campaign_id, b.batch_no
                    FROM ranked r
                    JOIN batches b ON b.account_id = v_accounts[place] AND b.campaign_id = r.campaign_id
                        AND b.batch_no = r.batch_no
                    WHERE b.state IN (1, 4) AND b.due_at <= v_now
                        AND (b.lease_until IS NULL OR b.lease_until <= v_now)
                    ORDER BY r.turn, r.due_at, r.campaign_id, r.batch_no
                    LIMIT v_share
                    FOR NO KEY UPDATE OF b SKIP LOCKED),
                leased AS (
                    UPDATE batches b
                    SET lease_node = p_node,
                        lease_until = clock_timestamp() + make_interval(secs => p_seconds),
                        epoch = b.epoch + 1, last_group = 0
                    FROM picked
                    WHERE b.account_id = v_accounts[place] AND b.campaign_id = picked.campaign_id
                        AND b.batch_no = picked.batch_no
                    RETURNING b.account_id, b.campaign_id, b.batch_no, b.epoch, b.state, b.attempt,
                        b.recipients - b.finished AS mails),
                paced AS (
                    INSERT INTO campaign_paces (account_id, campaign_id, free_at)
                    SELECT l.account_id, l.campaign_id,
                        clock_timestamp() + make_interval(secs => l.mails * 3600.0 / c.rate_per_hour)
                    FROM leased l
                    JOIN campaigns c ON c.account_id = l.account_id AND c.campaign_id = l.campaign_id
                    WHERE c.rate_per_hour IS NOT NULL AND l.state = 1 AND c.expires_at > clock_timestamp()
                    ON CONFLICT ON CONSTRAINT campaign_paces_pkey DO UPDATE SET free_at = excluded.free_at)
                SELECT l.account_id, l.campaign_id, l.batch_no, l.epoch, l.state, l.attempt FROM leased l;
            GET DIAGNOSTICS v_count = ROW_COUNT;
            v_left := v_left - v_count;
            IF v_count = v_share THEN
                v_filled := v_filled || v_accounts[place];
                UPDATE account_queue q SET served_at = clock_timestamp()
                WHERE q.account_id = v_accounts[place];
            ELSE
                -- Nothing more is due now: when is something again, counting leases that may run out, orders
                -- that may end, and paces?
                WITH leased AS MATERIALIZED (
                    SELECT b.campaign_id, min(greatest(b.due_at, b.lease_until)) AS ends_at FROM batches b
                    WHERE b.account_id = v_accounts[place] AND b.lease_node IS NOT NULL AND b.state IN (1, 4)
                    GROUP BY b.campaign_id)
                SELECT min(CASE WHEN c.state = 'cancelled' THEN n.due_at
                    ELSE greatest(n.due_at, claimable_at(c.account_id, c.campaign_id, c.expires_at)) END)
                INTO v_next
                FROM campaigns c
                LEFT JOIN leased l ON l.campaign_id = c.campaign_id
                CROSS JOIN LATERAL (
                    SELECT least(l.ends_at, (
                        SELECT b.due_at FROM batches b
                        WHERE b.account_id = v_accounts[place] AND b.campaign_id = c.campaign_id
                            AND b.state IN (1, 4) AND b.lease_node IS NULL
                        ORDER BY b.due_at LIMIT 1)) AS due_at) n
                WHERE c.account_id = v_accounts[place] AND c.purged_at IS NULL AND c.results_until IS NULL
                    AND c.state <> 'draft' AND c.state <> 'paused' AND n.due_at IS NOT NULL;
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

-- As before.
CREATE OR REPLACE FUNCTION claim_expired(
    p_node text, p_seconds double precision, p_limit integer, p_accounts bigint[])
RETURNS TABLE (
    account_id bigint, campaign_id bigint, batch_no integer, epoch bigint, state smallint, attempt integer)
LANGUAGE sql SET enable_seqscan = off AS $$
    WITH picked AS (
        SELECT b.account_id, b.campaign_id, b.batch_no
        FROM campaigns c
        JOIN batches b ON b.account_id = c.account_id AND b.campaign_id = c.campaign_id
        WHERE c.account_id = ANY (p_accounts) AND c.purged_at IS NULL AND c.results_until IS NULL
            AND c.state <> 'draft'
            AND c.state IN ('scheduled', 'queued', 'sending') AND c.expires_at <= (SELECT clock_timestamp())
            AND b.state IN (1, 4) AND b.due_at <= (SELECT clock_timestamp())
            AND (b.lease_until IS NULL OR b.lease_until <= (SELECT clock_timestamp()))
        ORDER BY b.account_id, b.campaign_id, b.batch_no LIMIT p_limit
        FOR NO KEY UPDATE OF b SKIP LOCKED)
    UPDATE batches b
    SET lease_node = p_node, lease_until = clock_timestamp() + make_interval(secs => p_seconds),
        epoch = b.epoch + 1, last_group = 0
    FROM picked
    WHERE b.account_id = picked.account_id AND b.campaign_id = picked.campaign_id
        AND b.batch_no = picked.batch_no
    RETURNING b.account_id, b.campaign_id, b.batch_no, b.epoch, b.state, b.attempt
$$;
