-- Test accounts (above 500,000,000,000) that have batches to claim now or later. They are not in the queue of live ones: claims
-- of these cost as much as before, and nodes of the version before, which would send test mail, never come to it.
CREATE TABLE test_queue (
    account_id bigint PRIMARY KEY CHECK (account_id > 500000000000),
    next_due timestamptz NOT NULL,
    served_at timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 50);
SELECT isolate_accounts('test_queue');
GRANT SELECT, INSERT, UPDATE, DELETE ON test_queue TO sluice_app;
GRANT SELECT, INSERT, UPDATE ON test_queue TO sluice_api;

-- As before, and test accounts go to their own queue. A function in SQL would plan both statements at each call.
CREATE OR REPLACE FUNCTION enqueue_account(p_account bigint, p_due timestamptz) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF p_account > 500000000000 THEN
        INSERT INTO test_queue AS q (account_id, next_due) VALUES (p_account, p_due)
        ON CONFLICT (account_id) DO UPDATE SET next_due = excluded.next_due WHERE q.next_due > excluded.next_due;
    ELSE
        INSERT INTO account_queue AS q (account_id, next_due) VALUES (p_account, p_due)
        ON CONFLICT (account_id) DO UPDATE SET next_due = excluded.next_due WHERE q.next_due > excluded.next_due;
    END IF;
END $$;

-- Leases one test batch to the node: of the test account served longest ago.
CREATE FUNCTION claim_test_batch(p_node text, p_seconds double precision)
RETURNS TABLE (
    account_id bigint, campaign_id bigint, batch_no integer, epoch bigint, state smallint, attempt integer)
LANGUAGE plpgsql
SET enable_seqscan = off
AS $$
#variable_conflict use_column
DECLARE
    v_account bigint;
    v_batch record;
    v_mails integer;
    v_next timestamptz;
    v_now timestamptz := clock_timestamp();
BEGIN
    LOOP
        SELECT q.account_id INTO v_account FROM test_queue q WHERE q.next_due <= v_now
        ORDER BY q.served_at, q.account_id LIMIT 1 FOR UPDATE SKIP LOCKED;
        IF NOT FOUND THEN RETURN; END IF;
        SELECT b.campaign_id, b.batch_no, CASE WHEN c.expires_at > v_now THEN c.rate_per_hour END AS rate_per_hour
        INTO v_batch
        FROM campaigns c
        JOIN batches b ON b.account_id = c.account_id AND b.campaign_id = c.campaign_id
        WHERE c.account_id = v_account AND c.purged_at IS NULL AND c.results_until IS NULL AND c.state <> 'draft'
            AND (c.state = 'cancelled' OR c.state IN ('scheduled', 'queued', 'sending')
                AND claimable_at(c.account_id, c.campaign_id, c.expires_at) <= v_now)
            AND b.state IN (1, 4) AND b.due_at <= v_now AND (b.lease_until IS NULL OR b.lease_until <= v_now)
        ORDER BY b.due_at, b.campaign_id, b.batch_no LIMIT 1
        FOR NO KEY UPDATE OF b SKIP LOCKED;
        IF FOUND THEN
            UPDATE batches b
            SET lease_node = p_node, lease_until = clock_timestamp() + make_interval(secs => p_seconds),
                epoch = b.epoch + 1, last_group = 0
            WHERE b.account_id = v_account AND b.campaign_id = v_batch.campaign_id AND b.batch_no = v_batch.batch_no
            RETURNING b.account_id, b.campaign_id, b.batch_no, b.epoch, b.state, b.attempt, b.recipients - b.finished
            INTO account_id, campaign_id, batch_no, epoch, state, attempt, v_mails;
            IF v_batch.rate_per_hour IS NOT NULL AND state = 1 THEN
                INSERT INTO campaign_paces (account_id, campaign_id, free_at)
                VALUES (v_account, v_batch.campaign_id,
                    clock_timestamp() + make_interval(secs => v_mails * 3600.0 / v_batch.rate_per_hour))
                ON CONFLICT ON CONSTRAINT campaign_paces_pkey DO UPDATE SET free_at = excluded.free_at;
            END IF;
            UPDATE test_queue q SET served_at = clock_timestamp() WHERE q.account_id = v_account;
            RETURN NEXT;
            RETURN;
        END IF;
        -- Nothing more is due now: when is something again, as in claim_batches? A batch that somebody has locked is due
        -- already, and looked for again in a second.
        SELECT min(CASE WHEN c.state = 'cancelled' THEN greatest(b.due_at, b.lease_until)
            ELSE greatest(b.due_at, b.lease_until, claimable_at(c.account_id, c.campaign_id, c.expires_at)) END)
        INTO v_next
        FROM campaigns c
        JOIN batches b ON b.account_id = c.account_id AND b.campaign_id = c.campaign_id AND b.state IN (1, 4)
        WHERE c.account_id = v_account AND c.purged_at IS NULL AND c.results_until IS NULL
            AND c.state <> 'draft' AND c.state <> 'paused';
        IF v_next IS NULL THEN
            DELETE FROM test_queue q WHERE q.account_id = v_account;
        ELSE
            UPDATE test_queue q
            SET next_due = greatest(v_next, v_now + interval '1 second'), served_at = clock_timestamp()
            WHERE q.account_id = v_account;
        END IF;
    END LOOP;
END $$;
REVOKE ALL ON FUNCTION claim_test_batch(text, double precision) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION claim_test_batch(text, double precision) TO sluice_app;
