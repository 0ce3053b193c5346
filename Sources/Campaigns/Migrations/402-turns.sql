CREATE INDEX batches_campaign_due ON batches (account_id, campaign_id, due_at, batch_no) WHERE state IN (1, 4);
DROP INDEX batches_due;

-- As before, and of one account's campaigns the one comes first that has the fewest batches at work: a small
-- campaign overtakes a large one.
CREATE OR REPLACE FUNCTION claim_batches(p_node text, p_seconds double precision, p_limit integer)
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
        SELECT a.account_id FROM account_queue a WHERE a.next_due <= clock_timestamp()
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

-- Takes back the batches that an earlier life of this node held and nobody has claimed since, so that what it
-- knew of them can still be journalled. Returns their places in the arrays.
CREATE FUNCTION adopt_leases(
    p_node text, p_seconds double precision, p_account bigint[], p_campaign bigint[], p_batch integer[],
    p_epoch bigint[])
RETURNS TABLE (place integer) LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
    FOR place IN
        SELECT n FROM generate_subscripts(p_account, 1) AS n ORDER BY p_account[n], p_campaign[n], p_batch[n]
    LOOP
        UPDATE batches b
        SET lease_until = clock_timestamp() + make_interval(secs => p_seconds), last_group = 0
        WHERE b.account_id = p_account[place] AND b.campaign_id = p_campaign[place]
            AND b.batch_no = p_batch[place] AND b.epoch = p_epoch[place] AND b.lease_node = p_node
            AND b.state IN (1, 2, 4);
        IF FOUND THEN RETURN NEXT; END IF;
    END LOOP;
END $$;

GRANT EXECUTE ON FUNCTION
    adopt_leases(text, double precision, bigint[], bigint[], integer[], bigint[]) TO sluice_app;
