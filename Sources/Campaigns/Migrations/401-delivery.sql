-- Appends journal groups of several batches and moves the counters with them. One round trip, and the hot path
-- of delivery. Arrays hold one element per group; at most one group per batch. Groups without effect on a
-- campaign's counters do not lock its row.
--
-- Returns the state of each batch that is still held (1 open, 2 paused, 4 cancelling) with the group's place
-- in the arrays. For a batch that is not returned nothing was changed: its lease ran out or went to another.
CREATE FUNCTION append_journal(
    p_node text, p_account bigint[], p_campaign bigint[], p_batch integer[], p_epoch bigint[], p_group bigint[],
    p_sealed bytea[], p_delivered integer[], p_bounced integer[], p_expired integer[], p_suppressed integer[],
    p_invalid integer[], p_cancelled integer[], p_in_doubt integer[], p_deferred integer[], p_resent integer[])
RETURNS TABLE (place integer, standing smallint)
-- Statistics lag behind a table that grows in seconds; a plan made for a small one must not be kept.
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    v_campaign record;
    v_group integer;
    v_applied integer[] := '{}';
BEGIN
    FOR v_campaign IN
        SELECT DISTINCT p_account[n] AS account_id, p_campaign[n] AS campaign_id
        FROM generate_subscripts(p_account, 1) AS n
        WHERE p_delivered[n] <> 0 OR p_bounced[n] <> 0 OR p_expired[n] <> 0 OR p_suppressed[n] <> 0
            OR p_invalid[n] <> 0 OR p_cancelled[n] <> 0 OR p_in_doubt[n] <> 0 OR p_deferred[n] <> 0
            OR p_resent[n] <> 0
        ORDER BY 1, 2
    LOOP
        PERFORM FROM campaigns c
        WHERE c.account_id = v_campaign.account_id AND c.campaign_id = v_campaign.campaign_id
        FOR NO KEY UPDATE;
    END LOOP;

    FOR v_group IN
        SELECT n FROM generate_subscripts(p_account, 1) AS n ORDER BY p_account[n], p_campaign[n], p_batch[n]
    LOOP
        place := v_group;
        UPDATE batches b
        SET finished = b.finished + p_delivered[v_group] + p_bounced[v_group] + p_expired[v_group]
                + p_suppressed[v_group] + p_invalid[v_group] + p_cancelled[v_group] + p_in_doubt[v_group],
            delivered = b.delivered + p_delivered[v_group],
            deferred = b.deferred + p_deferred[v_group],
            last_group = p_group[v_group]
        WHERE b.account_id = p_account[v_group] AND b.campaign_id = p_campaign[v_group]
            AND b.batch_no = p_batch[v_group] AND b.epoch = p_epoch[v_group] AND b.lease_node = p_node
            AND b.lease_until > clock_timestamp() AND b.state IN (1, 2, 4)
            AND b.last_group < p_group[v_group] AND octet_length(p_sealed[v_group]) > 0
        RETURNING b.state INTO standing;
        IF FOUND THEN
            v_applied := v_applied || v_group;
            RETURN NEXT;
            CONTINUE;
        END IF;
        -- Nothing to apply: applied before, or empty, or the lease was lost.
        SELECT b.state INTO standing FROM batches b
        WHERE b.account_id = p_account[v_group] AND b.campaign_id = p_campaign[v_group]
            AND b.batch_no = p_batch[v_group] AND b.epoch = p_epoch[v_group] AND b.lease_node = p_node
            AND b.lease_until > clock_timestamp() AND b.state IN (1, 2, 4);
        IF FOUND THEN RETURN NEXT; END IF;
    END LOOP;

    INSERT INTO journal (account_id, campaign_id, batch_no, epoch, sealed)
    SELECT p_account[n], p_campaign[n], p_batch[n], p_epoch[n], p_sealed[n] FROM unnest(v_applied) AS n;

    FOR v_campaign IN
        SELECT p_account[n] AS account_id, p_campaign[n] AS campaign_id,
            sum(p_delivered[n]) AS delivered, sum(p_bounced[n]) AS bounced, sum(p_expired[n]) AS expired,
            sum(p_suppressed[n]) AS suppressed, sum(p_invalid[n]) AS invalid,
            sum(p_cancelled[n]) AS cancelled, sum(p_in_doubt[n]) AS in_doubt,
            sum(p_deferred[n]) AS deferred, sum(p_resent[n]) AS resent
        FROM unnest(v_applied) AS n
        WHERE p_delivered[n] <> 0 OR p_bounced[n] <> 0 OR p_expired[n] <> 0 OR p_suppressed[n] <> 0
            OR p_invalid[n] <> 0 OR p_cancelled[n] <> 0 OR p_in_doubt[n] <> 0 OR p_deferred[n] <> 0
            OR p_resent[n] <> 0
        GROUP BY 1, 2
    LOOP
        UPDATE campaigns c
        SET delivered = c.delivered + v_campaign.delivered, bounced = c.bounced + v_campaign.bounced,
            expired = c.expired + v_campaign.expired, suppressed = c.suppressed + v_campaign.suppressed,
            invalid = c.invalid + v_campaign.invalid, cancelled = c.cancelled + v_campaign.cancelled,
            in_doubt = c.in_doubt + v_campaign.in_doubt, deferred = c.deferred + v_campaign.deferred,
            in_doubt_resent = c.in_doubt_resent + v_campaign.resent
        WHERE c.account_id = v_campaign.account_id AND c.campaign_id = v_campaign.campaign_id;
    END LOOP;
END $$;

-- Puts an account's next due time to `p_due` if that is earlier.
CREATE FUNCTION enqueue_account(p_account bigint, p_due timestamptz) RETURNS void LANGUAGE sql AS $$
    INSERT INTO account_queue AS q (account_id, next_due) VALUES (p_account, p_due)
    ON CONFLICT (account_id) DO UPDATE SET next_due = excluded.next_due WHERE q.next_due > excluded.next_due
$$;

-- Ends the leases that an earlier life of a node left, and has their accounts looked at.
CREATE FUNCTION free_leases(p_node text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_accounts bigint[];
BEGIN
    WITH left_over AS (
        SELECT b.account_id, b.campaign_id, b.batch_no FROM batches b WHERE b.lease_node = p_node
        ORDER BY b.account_id, b.campaign_id, b.batch_no FOR NO KEY UPDATE)
    SELECT array_agg(DISTINCT left_over.account_id ORDER BY left_over.account_id) INTO v_accounts
    FROM left_over;
    UPDATE batches b SET lease_until = clock_timestamp()
    WHERE b.lease_node = p_node AND b.lease_until > clock_timestamp();
    PERFORM enqueue_account(a, clock_timestamp()) FROM unnest(v_accounts) AS a;
END $$;

-- Leases up to `p_limit` due batches to a node, for at least one batch of each due account before a second of
-- any, starting with the account served longest ago. Locks held by others are never waited for.
CREATE FUNCTION claim_batches(p_node text, p_seconds double precision, p_limit integer)
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
                WITH picked AS (
                    SELECT b.campaign_id, b.batch_no FROM batches b
                    WHERE b.account_id = v_accounts[place] AND b.state IN (1, 4)
                        AND b.due_at <= clock_timestamp()
                        AND (b.lease_until IS NULL OR b.lease_until <= clock_timestamp())
                    ORDER BY b.due_at, b.campaign_id, b.batch_no
                    LIMIT v_share
                    FOR NO KEY UPDATE SKIP LOCKED)
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

-- The first claim of a campaign's batch starts it. A transaction of its own, after the claim: campaigns rows
-- come before batches rows in the order of locks.
CREATE FUNCTION start_campaigns(p_account bigint[], p_campaign bigint[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_campaign record;
BEGIN
    FOR v_campaign IN
        SELECT c.account_id, c.campaign_id FROM campaigns c
        WHERE (c.account_id, c.campaign_id) IN (SELECT * FROM unnest(p_account, p_campaign))
            AND c.state IN ('queued', 'scheduled')
        ORDER BY c.account_id, c.campaign_id
        FOR NO KEY UPDATE
    LOOP
        UPDATE campaigns c SET state = 'sending', started_at = clock_timestamp()
        WHERE c.account_id = v_campaign.account_id AND c.campaign_id = v_campaign.campaign_id;
        PERFORM pg_notify('sluice_progress', v_campaign.account_id || '/' || v_campaign.campaign_id);
    END LOOP;
END $$;

-- Extends leases that still hold. Returns their places in the arrays.
CREATE FUNCTION renew_leases(
    p_node text, p_seconds double precision, p_account bigint[], p_campaign bigint[], p_batch integer[],
    p_epoch bigint[])
RETURNS TABLE (place integer) LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
    FOR place IN
        SELECT n FROM generate_subscripts(p_account, 1) AS n ORDER BY p_account[n], p_campaign[n], p_batch[n]
    LOOP
        UPDATE batches b SET lease_until = clock_timestamp() + make_interval(secs => p_seconds)
        WHERE b.account_id = p_account[place] AND b.campaign_id = p_campaign[place]
            AND b.batch_no = p_batch[place] AND b.epoch = p_epoch[place] AND b.lease_node = p_node
            AND b.lease_until > clock_timestamp() AND b.state IN (1, 2, 4);
        IF FOUND THEN RETURN NEXT; END IF;
    END LOOP;
    UPDATE nodes SET seen_at = clock_timestamp() WHERE node = p_node;
END $$;

GRANT EXECUTE ON FUNCTION
    append_journal(text, bigint[], bigint[], integer[], bigint[], bigint[], bytea[], integer[], integer[],
        integer[], integer[], integer[], integer[], integer[], integer[], integer[]),
    enqueue_account(bigint, timestamptz),
    free_leases(text),
    claim_batches(text, double precision, integer),
    start_campaigns(bigint[], bigint[]),
    renew_leases(text, double precision, bigint[], bigint[], integer[], bigint[])
TO sluice_app;
