-- What operators have ordered for lanes (account_id 0), an account (campaign_id 0) or a campaign. Mail without an
-- order goes by itself. Orders that have ended mean nothing and are deleted by the next one.
CREATE TABLE operator_orders (
    account_id bigint NOT NULL DEFAULT 0,
    campaign_id bigint NOT NULL DEFAULT 0,
    -- Names lanes by their name, their site, a mail host or their provider.
    lane text NOT NULL DEFAULT '',
    action text NOT NULL,
    reason text NOT NULL,
    given_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ends_at timestamptz,
    PRIMARY KEY (account_id, campaign_id, lane),
    CONSTRAINT operator_orders_fit CHECK (
        CASE WHEN account_id = 0
        THEN campaign_id = 0 AND lane <> '' AND action IN ('suspend', 'drain', 'fail', 'resume')
        ELSE lane = '' AND action IN ('suspend', 'drain') END)
);
INSERT INTO operator_orders (account_id, action, reason, given_at)
SELECT account_id, 'suspend', 'by the operator', held_at FROM account_queue WHERE held_at IS NOT NULL;
UPDATE account_queue SET next_due = clock_timestamp() WHERE held_at IS NOT NULL;
DROP INDEX account_queue_held;

CREATE OR REPLACE FUNCTION enqueue_account(p_account bigint, p_due timestamptz)
RETURNS void LANGUAGE sql AS $$
    INSERT INTO account_queue AS q (account_id, next_due) VALUES (p_account, p_due)
    ON CONFLICT (account_id) DO UPDATE SET next_due = excluded.next_due WHERE q.next_due > excluded.next_due
$$;
ALTER TABLE account_queue DROP COLUMN held_at;

-- Retry batches whose lanes were stopped: a resume makes them due at once.
ALTER TABLE batches ADD COLUMN awaits_resume boolean NOT NULL DEFAULT false;
CREATE INDEX batches_awaiting_resume ON batches (account_id, campaign_id, batch_no) WHERE awaits_resume;

ALTER TABLE campaigns
    -- Most mails in an hour, all nodes together; NULL without a cap.
    ADD COLUMN rate_per_hour integer CHECK (rate_per_hour >= 1),
    -- When an operator ended the campaign: then what was not sent has bounced, instead of being cancelled.
    ADD COLUMN failed_at timestamptz;

-- When the next batch of a capped campaign may be claimed. Only claims write it, one at a time for an account.
CREATE TABLE campaign_paces (
    account_id bigint NOT NULL,
    campaign_id bigint NOT NULL,
    free_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, campaign_id)
) WITH (fillfactor = 50);

-- When a campaign that is not cancelled may be claimed: now, or '-infinity', where nothing speaks against it. An
-- order or the pace puts that off, though not beyond the expiry: from then on there is only the end to record.
CREATE FUNCTION claimable_at(p_account bigint, p_campaign bigint, p_expires timestamptz)
RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT least(p_expires, greatest(
        (SELECT p.free_at FROM campaign_paces p
            WHERE p.account_id = p_account AND p.campaign_id = p_campaign),
        (SELECT max(coalesce(o.ends_at, 'infinity')) FROM operator_orders o
            WHERE o.account_id = p_account AND o.campaign_id IN (0, p_campaign)),
        '-infinity'))
$$;

-- As before, and a campaign comes only when it is claimable. A capped one gives a batch at a time, which is sent
-- at once; the next is free when these mails have had their time.
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
                        ORDER BY b.due_at, b.batch_no
                        LIMIT CASE
                            WHEN c.rate_per_hour IS NULL OR c.state = 'cancelled'
                                OR c.expires_at <= clock_timestamp() THEN v_share
                            ELSE 1 END) f
                    LEFT JOIN active ON active.campaign_id = f.campaign_id
                    WHERE c.account_id = v_accounts[place] AND c.purged_at IS NULL
                        AND (c.state = 'cancelled' OR c.state IN ('scheduled', 'queued', 'sending')
                            AND claimable_at(c.account_id, c.campaign_id, c.expires_at)
                                <= clock_timestamp())),
                picked AS (
                    SELECT b.campaign_id, b.batch_no
                    FROM ranked r
                    JOIN batches b ON b.account_id = v_accounts[place] AND b.campaign_id = r.campaign_id
                        AND b.batch_no = r.batch_no
                    WHERE b.state IN (1, 4) AND b.due_at <= clock_timestamp()
                        AND (b.lease_until IS NULL OR b.lease_until <= clock_timestamp())
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
                SELECT min(least(n.cancelling, CASE WHEN n.waiting IS NOT NULL
                    THEN greatest(n.waiting, claimable_at(c.account_id, c.campaign_id, c.expires_at)) END))
                INTO v_next
                FROM campaigns c
                CROSS JOIN LATERAL (
                    SELECT min(greatest(b.due_at, b.lease_until)) FILTER (WHERE b.state = 4) AS cancelling,
                        min(greatest(b.due_at, b.lease_until)) FILTER (WHERE b.state = 1) AS waiting
                    FROM batches b
                    WHERE b.account_id = v_accounts[place] AND b.campaign_id = c.campaign_id
                        AND b.state IN (1, 4)) n
                WHERE c.account_id = v_accounts[place] AND c.purged_at IS NULL;
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

-- Makes due what waits for stopped lanes. Batches that somebody works on are left alone.
CREATE FUNCTION recall_awaiting() RETURNS void LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    v_accounts bigint[];
BEGIN
    WITH waiting AS (
        SELECT b.account_id, b.campaign_id, b.batch_no FROM batches b
        WHERE b.awaits_resume AND b.state IN (1, 2) AND b.due_at > clock_timestamp() AND b.lease_node IS NULL
        ORDER BY b.account_id, b.campaign_id, b.batch_no FOR NO KEY UPDATE SKIP LOCKED),
    recalled AS (
        UPDATE batches b SET due_at = clock_timestamp() FROM waiting w
        WHERE b.account_id = w.account_id AND b.campaign_id = w.campaign_id AND b.batch_no = w.batch_no
        RETURNING b.account_id)
    SELECT array_agg(DISTINCT recalled.account_id ORDER BY recalled.account_id) INTO v_accounts FROM recalled;
    PERFORM enqueue_account(a, clock_timestamp()) FROM unnest(v_accounts) AS a;
END $$;

GRANT SELECT, INSERT, UPDATE, DELETE ON operator_orders, campaign_paces TO sluice_app;
GRANT EXECUTE ON FUNCTION claimable_at(bigint, bigint, timestamptz), recall_awaiting() TO sluice_app;
