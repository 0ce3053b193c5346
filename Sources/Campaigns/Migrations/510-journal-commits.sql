-- Appends journal groups of several batches and moves the counters with them. One round trip, and the hot path of
-- delivery. Arrays hold one element per group; at most one group per batch. Groups that move no counters lock no
-- campaign. Other nodes, settlements, pauses have a campaign's row for a moment: for groups in `p_waits` that is
-- waited for, `p_patience` milliseconds in all. A campaign that somebody keeps locked must not stop the others.
--
-- `answer` for each place in the arrays:
--   applied   committed now
--   repeated  nothing was left to commit: committed before, or an empty group
--   overdue   the group begins mails and the lease has run out; nobody has claimed the batch. Nothing was changed
--   locked    somebody else has the row of the batch or its campaign. Nothing was changed
--   lost      the batch was claimed by another, given back or ended. Nothing was changed
-- `standing` is the batch's state (1 open, 2 paused, 4 cancelling), null where it is lost.
CREATE FUNCTION commit_journal(
    p_node text, p_account bigint[], p_campaign bigint[], p_batch integer[], p_epoch bigint[], p_group bigint[],
    p_begins boolean[], p_moves boolean[], p_waits boolean[], p_patience integer, p_sealed bytea[], p_delivered integer[], p_bounced integer[],
    p_expired integer[], p_suppressed integer[], p_invalid integer[], p_cancelled integer[],
    p_in_doubt integer[], p_deferred integer[], p_resent integer[])
RETURNS TABLE (place integer, answer text, standing smallint)
-- Statistics lag behind a table that grows in seconds; a plan made for a small one must not be kept.
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    v_account bigint;
    v_campaign bigint;
    v_is_free boolean;
    v_until timestamptz := clock_timestamp() + make_interval(secs => p_patience / 1000.0);
    v_left integer;
    v_row record;
    v_applied integer[] := '{}';
BEGIN
    FOR place IN
        SELECT n FROM generate_subscripts(p_account, 1) AS n ORDER BY p_account[n], p_campaign[n], p_batch[n]
    LOOP
        IF p_moves[place]
            AND (v_account IS DISTINCT FROM p_account[place] OR v_campaign <> p_campaign[place]) THEN
            v_account := p_account[place];
            v_campaign := p_campaign[place];
            PERFORM FROM campaigns c WHERE c.account_id = v_account AND c.campaign_id = v_campaign
            FOR NO KEY UPDATE SKIP LOCKED;
            v_is_free := FOUND;
            v_left := floor(extract(epoch FROM v_until - clock_timestamp()) * 1000);
            IF NOT v_is_free AND p_waits[place] AND v_left > 0 THEN
                BEGIN
                    PERFORM set_config('lock_timeout', v_left::text, true);
                    PERFORM FROM campaigns c WHERE c.account_id = v_account AND c.campaign_id = v_campaign
                    FOR NO KEY UPDATE;
                    v_is_free := FOUND;
                EXCEPTION WHEN lock_not_available THEN
                    v_is_free := false;
                END;
            END IF;
        END IF;
        IF v_is_free OR NOT p_moves[place] THEN
            UPDATE batches b
            SET finished = b.finished + p_delivered[place] + p_bounced[place] + p_expired[place]
                    + p_suppressed[place] + p_invalid[place] + p_cancelled[place] + p_in_doubt[place],
                delivered = b.delivered + p_delivered[place],
                deferred = b.deferred + p_deferred[place],
                last_group = p_group[place]
            FROM (
                SELECT FROM batches l
                WHERE l.account_id = p_account[place] AND l.campaign_id = p_campaign[place]
                    AND l.batch_no = p_batch[place]
                FOR NO KEY UPDATE SKIP LOCKED) AS unlocked
            WHERE b.account_id = p_account[place] AND b.campaign_id = p_campaign[place]
                AND b.batch_no = p_batch[place] AND b.epoch = p_epoch[place] AND b.lease_node = p_node
                AND b.state IN (1, 2, 4) AND (NOT p_begins[place] OR b.lease_until > clock_timestamp())
                AND b.last_group < p_group[place] AND octet_length(p_sealed[place]) > 0
            RETURNING b.state INTO standing;
            IF FOUND THEN
                v_applied := v_applied || place;
                answer := 'applied';
                RETURN NEXT;
                CONTINUE;
            END IF;
        END IF;
        -- Why not?
        SELECT b.state, CASE
            WHEN b.last_group >= p_group[place] OR octet_length(p_sealed[place]) = 0 THEN 'repeated'
            WHEN p_begins[place] AND b.lease_until <= clock_timestamp() THEN 'overdue'
            ELSE 'locked' END
        INTO standing, answer
        FROM batches b
        WHERE b.account_id = p_account[place] AND b.campaign_id = p_campaign[place]
            AND b.batch_no = p_batch[place] AND b.epoch = p_epoch[place] AND b.lease_node = p_node
            AND b.state IN (1, 2, 4);
        IF NOT FOUND THEN answer := 'lost'; END IF;
        RETURN NEXT;
    END LOOP;

    INSERT INTO journal (account_id, campaign_id, batch_no, epoch, sealed)
    SELECT p_account[n], p_campaign[n], p_batch[n], p_epoch[n], p_sealed[n] FROM unnest(v_applied) AS n;

    FOR v_row IN
        SELECT p_account[n] AS account_id, p_campaign[n] AS campaign_id,
            sum(p_delivered[n]) AS delivered, sum(p_bounced[n]) AS bounced, sum(p_expired[n]) AS expired,
            sum(p_suppressed[n]) AS suppressed, sum(p_invalid[n]) AS invalid,
            sum(p_cancelled[n]) AS cancelled, sum(p_in_doubt[n]) AS in_doubt,
            sum(p_deferred[n]) AS deferred, sum(p_resent[n]) AS resent
        FROM unnest(v_applied) AS n WHERE p_moves[n]
        GROUP BY 1, 2
    LOOP
        UPDATE campaigns c
        SET delivered = c.delivered + v_row.delivered, bounced = c.bounced + v_row.bounced,
            expired = c.expired + v_row.expired, suppressed = c.suppressed + v_row.suppressed,
            invalid = c.invalid + v_row.invalid, cancelled = c.cancelled + v_row.cancelled,
            in_doubt = c.in_doubt + v_row.in_doubt, deferred = c.deferred + v_row.deferred,
            in_doubt_resent = c.in_doubt_resent + v_row.resent
        WHERE c.account_id = v_row.account_id AND c.campaign_id = v_row.campaign_id;
    END LOOP;
END $$;

-- Extends leases of batches that nobody else has claimed, those that have run out as well. Returns their places in
-- the arrays, and those that somebody has locked: of them nothing is known, and nothing was changed.
CREATE FUNCTION extend_leases(
    p_node text, p_seconds double precision, p_account bigint[], p_campaign bigint[], p_batch integer[],
    p_epoch bigint[])
RETURNS TABLE (place integer, is_locked boolean) LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
    FOR place IN SELECT n FROM generate_subscripts(p_account, 1) AS n LOOP
        PERFORM FROM batches b
        WHERE b.account_id = p_account[place] AND b.campaign_id = p_campaign[place]
            AND b.batch_no = p_batch[place] AND b.epoch = p_epoch[place] AND b.lease_node = p_node
            AND b.state IN (1, 2, 4)
        FOR NO KEY UPDATE SKIP LOCKED;
        is_locked := NOT FOUND;
        IF FOUND THEN
            UPDATE batches b SET lease_until = clock_timestamp() + make_interval(secs => p_seconds)
            WHERE b.account_id = p_account[place] AND b.campaign_id = p_campaign[place]
                AND b.batch_no = p_batch[place];
            RETURN NEXT;
        ELSE
            PERFORM FROM batches b
            WHERE b.account_id = p_account[place] AND b.campaign_id = p_campaign[place]
                AND b.batch_no = p_batch[place] AND b.epoch = p_epoch[place] AND b.lease_node = p_node
                AND b.state IN (1, 2, 4);
            IF FOUND THEN RETURN NEXT; END IF;
        END IF;
    END LOOP;
    UPDATE nodes SET seen_at = clock_timestamp() WHERE node = p_node;
END $$;

-- Claims for a node anew what its earlier life had leased and nobody has claimed since. The epoch rises: a statement
-- of that life which the server still has under way changes nothing any more. Call it in the transaction that
-- journals what that life left; otherwise the next life looks for it under the wrong epoch.
CREATE FUNCTION take_over_leases(p_node text, p_seconds double precision)
RETURNS TABLE (account_id bigint, campaign_id bigint, batch_no integer, epoch bigint)
LANGUAGE sql SET enable_seqscan = off AS $$
    WITH held AS (
        SELECT h.account_id, h.campaign_id, h.batch_no FROM batches h
        WHERE h.lease_node = p_node AND h.state IN (1, 2, 4)
        ORDER BY h.account_id, h.campaign_id, h.batch_no FOR NO KEY UPDATE)
    UPDATE batches b
    SET lease_until = clock_timestamp() + make_interval(secs => p_seconds), last_group = 0, epoch = b.epoch + 1
    FROM held
    WHERE (b.account_id, b.campaign_id, b.batch_no) = (held.account_id, held.campaign_id, held.batch_no)
    RETURNING b.account_id, b.campaign_id, b.batch_no, b.epoch
$$;

-- For nodes of the release before: a campaign whose row somebody has locked is started by its next claim.
CREATE OR REPLACE FUNCTION start_campaigns(p_account bigint[], p_campaign bigint[])
RETURNS void LANGUAGE sql AS $$ SELECT begin_campaigns(p_account, p_campaign) $$;

GRANT EXECUTE ON FUNCTION
    commit_journal(text, bigint[], bigint[], integer[], bigint[], bigint[], boolean[], boolean[], boolean[],
        integer, bytea[], integer[], integer[], integer[], integer[], integer[], integer[], integer[], integer[], integer[]),
    extend_leases(text, double precision, bigint[], bigint[], integer[], bigint[]),
    take_over_leases(text, double precision)
TO sluice_app;
