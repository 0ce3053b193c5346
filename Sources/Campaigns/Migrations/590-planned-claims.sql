-- As before. A function in SQL that has subqueries is parsed and planned anew by each statement that calls it; this one
-- keeps its plans as long as the session.
CREATE OR REPLACE FUNCTION claimable_at(p_account bigint, p_campaign bigint, p_expires timestamptz)
RETURNS timestamptz
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN least(p_expires, greatest(
        (SELECT p.free_at FROM campaign_paces p
            WHERE p.account_id = p_account AND p.campaign_id = p_campaign),
        (SELECT max(coalesce(o.ends_at, 'infinity')) FROM operator_orders o
            WHERE o.account_id = p_account AND o.campaign_id IN (0, p_campaign)),
        '-infinity'));
END $$;

-- As before. Planning took most of the time of a claim, and a session did it six times until it kept a plan. A plan may
-- be as old as its session, from when the tables were empty, and must serve them when they are full: it leaves nothing
-- to choose: each batch is looked up by its whole key, one after the other.
CREATE OR REPLACE FUNCTION claim_batches(
    p_node text, p_seconds double precision, p_limit integer, p_waiting bigint[])
RETURNS TABLE (
    account_id bigint, campaign_id bigint, batch_no integer, epoch bigint, state smallint, attempt integer)
LANGUAGE plpgsql
SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
    v_accounts bigint[];
    v_account bigint;
    v_filled bigint[];
    v_left integer := p_limit;
    v_share integer;
    v_count integer;
    v_batch record;
    v_mails integer;
    v_next timestamptz;
    -- Once for each look: no index is searched by a function that has another value for each row.
    v_now timestamptz := clock_timestamp();
BEGIN
    SELECT array_agg(q.account_id) INTO v_accounts
    FROM (
        SELECT a.account_id FROM account_queue a
        WHERE a.next_due <= v_now AND a.account_id <> ALL (p_waiting)
        ORDER BY a.served_at, a.account_id LIMIT p_limit FOR UPDATE SKIP LOCKED) q;

    WHILE v_left > 0 AND cardinality(v_accounts) > 0 LOOP
        v_filled := '{}';
        FOR place IN 1 .. cardinality(v_accounts) LOOP
            EXIT WHEN v_left = 0;
            v_now := clock_timestamp();
            v_account := v_accounts[place];
            v_share := ceil(v_left::numeric / (cardinality(v_accounts) - place + 1));
            v_count := 0;
            FOR v_batch IN
                WITH active AS MATERIALIZED (
                    SELECT b.campaign_id, count(*) AS batches FROM batches b
                    WHERE b.account_id = v_account AND b.lease_node IS NOT NULL AND b.lease_until > v_now
                    GROUP BY b.campaign_id)
                SELECT unlocked.campaign_id, unlocked.batch_no, ranked.rate_per_hour
                FROM (
                    SELECT f.campaign_id, f.batch_no,
                        CASE WHEN c.expires_at > v_now THEN c.rate_per_hour END AS rate_per_hour
                    FROM campaigns c
                    CROSS JOIN LATERAL (
                        SELECT b.campaign_id, b.batch_no, b.due_at FROM batches b
                        WHERE b.account_id = v_account AND b.campaign_id = c.campaign_id
                            AND b.state IN (1, 4) AND b.due_at <= v_now
                            AND (b.lease_until IS NULL OR b.lease_until <= v_now)
                        ORDER BY b.due_at, b.batch_no
                        LIMIT CASE
                            WHEN c.rate_per_hour IS NULL OR c.state = 'cancelled'
                                OR c.expires_at <= v_now THEN v_share
                            ELSE 1 END) f
                    LEFT JOIN active ON active.campaign_id = f.campaign_id
                    WHERE c.account_id = v_account AND c.purged_at IS NULL
                        AND c.results_until IS NULL AND c.state <> 'draft'
                        AND (c.state = 'cancelled' OR c.state IN ('scheduled', 'queued', 'sending')
                            AND claimable_at(c.account_id, c.campaign_id, c.expires_at) <= v_now)
                    ORDER BY coalesce(active.batches, 0)
                        + row_number() OVER (PARTITION BY f.campaign_id ORDER BY f.due_at, f.batch_no),
                        f.due_at, f.campaign_id, f.batch_no) ranked
                CROSS JOIN LATERAL (
                    SELECT b.campaign_id, b.batch_no FROM batches b
                    WHERE b.account_id = v_account AND b.campaign_id = ranked.campaign_id
                        AND b.batch_no = ranked.batch_no AND b.state IN (1, 4) AND b.due_at <= v_now
                        AND (b.lease_until IS NULL OR b.lease_until <= v_now)
                    FOR NO KEY UPDATE SKIP LOCKED) unlocked
                LIMIT v_share
            LOOP
                UPDATE batches b
                SET lease_node = p_node, lease_until = clock_timestamp() + make_interval(secs => p_seconds),
                    epoch = b.epoch + 1, last_group = 0
                WHERE b.account_id = v_account AND b.campaign_id = v_batch.campaign_id
                    AND b.batch_no = v_batch.batch_no
                RETURNING b.account_id, b.campaign_id, b.batch_no, b.epoch, b.state, b.attempt,
                    b.recipients - b.finished
                INTO account_id, campaign_id, batch_no, epoch, state, attempt, v_mails;
                RETURN NEXT;
                v_count := v_count + 1;
                IF v_batch.rate_per_hour IS NOT NULL AND state = 1 THEN
                    INSERT INTO campaign_paces (account_id, campaign_id, free_at)
                    VALUES (v_account, v_batch.campaign_id,
                        clock_timestamp() + make_interval(secs => v_mails * 3600.0 / v_batch.rate_per_hour))
                    ON CONFLICT ON CONSTRAINT campaign_paces_pkey DO UPDATE SET free_at = excluded.free_at;
                END IF;
            END LOOP;
            v_left := v_left - v_count;
            IF v_count = v_share THEN
                v_filled := v_filled || v_account;
                UPDATE account_queue q SET served_at = clock_timestamp()
                WHERE q.account_id = v_account;
            ELSE
                -- Nothing more is due now: when is something again, counting leases that may run out, orders
                -- that may end, and paces?
                SELECT min(CASE WHEN c.state = 'cancelled' THEN least(l.ends_at, w.due_at)
                    ELSE greatest(
                        least(l.ends_at, w.due_at), claimable_at(c.account_id, c.campaign_id, c.expires_at)) END)
                INTO v_next
                FROM campaigns c
                LEFT JOIN (
                    SELECT b.campaign_id,
                        min(CASE WHEN b.state IN (1, 4) THEN greatest(b.due_at, b.lease_until) END) AS ends_at
                    FROM batches b
                    WHERE b.account_id = v_account AND b.lease_node IS NOT NULL
                    GROUP BY b.campaign_id) l ON l.campaign_id = c.campaign_id
                LEFT JOIN LATERAL (
                    SELECT b.due_at FROM batches b
                    WHERE b.account_id = v_account AND b.campaign_id = c.campaign_id
                        AND b.state IN (1, 4) AND b.lease_node IS NULL
                    ORDER BY b.due_at LIMIT 1) w ON true
                WHERE c.account_id = v_account AND c.purged_at IS NULL AND c.results_until IS NULL
                    AND c.state <> 'draft' AND c.state <> 'paused'
                    AND (l.ends_at IS NOT NULL OR w.due_at IS NOT NULL);
                IF v_next IS NULL THEN
                    DELETE FROM account_queue q WHERE q.account_id = v_account;
                ELSE
                    UPDATE account_queue q SET next_due = v_next, served_at = clock_timestamp()
                    WHERE q.account_id = v_account;
                END IF;
            END IF;
        END LOOP;
        v_accounts := v_filled;
    END LOOP;
END $$;
