-- What the migrations have made of both databases. SchemaTests compares this file in each run and can write
-- it, see docs/developing.md. Nothing reads it but people.

-- The records

CREATE FUNCTION public.account_limit(p_account bigint, p_name text) RETURNS bigint
    LANGUAGE sql STABLE
    AS $$
    SELECT l.value FROM account_limits l WHERE l.account_id = p_account AND l.name = p_name
$$;

CREATE FUNCTION public.adopt_leases(p_node text, p_seconds double precision) RETURNS TABLE(account_id bigint, campaign_id bigint, batch_no integer, epoch bigint)
    LANGUAGE sql
    SET enable_seqscan TO 'off'
    AS $$
    WITH held AS (
        SELECT h.account_id, h.campaign_id, h.batch_no FROM batches h
        WHERE h.lease_node = p_node AND h.state IN (1, 2, 4)
        ORDER BY h.account_id, h.campaign_id, h.batch_no FOR NO KEY UPDATE)
    UPDATE batches b
    SET lease_until = clock_timestamp() + make_interval(secs => p_seconds), last_group = 0
    FROM held
    WHERE (b.account_id, b.campaign_id, b.batch_no) = (held.account_id, held.campaign_id, held.batch_no)
    RETURNING b.account_id, b.campaign_id, b.batch_no, b.epoch
$$;

CREATE FUNCTION public.api_keys_stay_revoked() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'a revoked API key stays revoked' USING ERRCODE = 'restrict_violation';
END
$$;

CREATE FUNCTION public.append_journal(p_node text, p_account bigint[], p_campaign bigint[], p_batch integer[], p_epoch bigint[], p_group bigint[], p_sealed bytea[], p_delivered integer[], p_bounced integer[], p_expired integer[], p_suppressed integer[], p_invalid integer[], p_cancelled integer[], p_in_doubt integer[], p_deferred integer[], p_resent integer[]) RETURNS TABLE(place integer, standing smallint)
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    AS $$
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

CREATE FUNCTION public.append_webhook_events(accounts bigint[], campaigns bigint[], masks bigint[], counts smallint[], facts bytea[], privates bytea[]) RETURNS bigint
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
#variable_conflict use_column
DECLARE
    v_endpoints bigint[];
    v_event bigint;
    v_queued bigint := 0;
BEGIN
    FOR place IN 1..cardinality(accounts) LOOP
        SELECT array_agg(e.endpoint_id) INTO v_endpoints FROM webhook_endpoints e
        WHERE e.account_id = accounts[place] AND e.disabled_reason IS NULL AND e.types & masks[place] <> 0;
        CONTINUE WHEN v_endpoints IS NULL;
        INSERT INTO webhook_events (account_id, campaign_id, types, events, octets, facts, private, waiting)
        VALUES (
            accounts[place], campaigns[place], masks[place], counts[place],
            octet_length(append_webhook_events.facts[place]) + coalesce(octet_length(privates[place]), 0),
            append_webhook_events.facts[place], privates[place], cardinality(v_endpoints))
        RETURNING event_no INTO v_event;
        INSERT INTO webhook_deliveries (account_id, endpoint_id, campaign_id, event_no, end_event)
        SELECT accounts[place], e.endpoint, campaigns[place], v_event, counts[place]
        FROM unnest(v_endpoints) AS e (endpoint);
        v_queued := v_queued + cardinality(v_endpoints);
    END LOOP;
    RETURN v_queued;
END $$;

CREATE FUNCTION public.begin_campaigns(p_account bigint[], p_campaign bigint[]) RETURNS TABLE(place integer)
    LANGUAGE plpgsql
    AS $$
DECLARE
    v_campaign record;
BEGIN
    FOR v_campaign IN
        SELECT c.account_id, c.campaign_id FROM campaigns c
        WHERE (c.account_id, c.campaign_id) IN (SELECT * FROM unnest(p_account, p_campaign))
            AND c.state IN ('queued', 'scheduled')
        ORDER BY c.account_id, c.campaign_id
        FOR NO KEY UPDATE SKIP LOCKED
    LOOP
        UPDATE campaigns c SET state = 'sending', started_at = clock_timestamp()
        WHERE c.account_id = v_campaign.account_id AND c.campaign_id = v_campaign.campaign_id;
        PERFORM pg_notify('sluice_progress', v_campaign.account_id || '/' || v_campaign.campaign_id);
    END LOOP;
    RETURN QUERY
        SELECT n FROM generate_subscripts(p_account, 1) AS n
        JOIN campaigns c ON c.account_id = p_account[n] AND c.campaign_id = p_campaign[n]
        WHERE c.state IN ('queued', 'scheduled', 'paused');
END $$;

CREATE FUNCTION public.claim_batches(p_node text, p_seconds double precision, p_limit integer, p_waiting bigint[]) RETURNS TABLE(account_id bigint, campaign_id bigint, batch_no integer, epoch bigint, state smallint, attempt integer)
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
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

CREATE FUNCTION public.claim_expired(p_node text, p_seconds double precision, p_limit integer, p_accounts bigint[]) RETURNS TABLE(account_id bigint, campaign_id bigint, batch_no integer, epoch bigint, state smallint, attempt integer)
    LANGUAGE sql
    SET enable_seqscan TO 'off'
    AS $$
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

CREATE FUNCTION public.claim_test_batch(p_node text, p_seconds double precision) RETURNS TABLE(account_id bigint, campaign_id bigint, batch_no integer, epoch bigint, state smallint, attempt integer)
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
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

CREATE FUNCTION public.claimable_at(p_account bigint, p_campaign bigint, p_expires timestamp with time zone) RETURNS timestamp with time zone
    LANGUAGE plpgsql STABLE
    AS $$
BEGIN
    RETURN least(p_expires, greatest(
        (SELECT p.free_at FROM campaign_paces p
            WHERE p.account_id = p_account AND p.campaign_id = p_campaign),
        (SELECT max(coalesce(o.ends_at, 'infinity')) FROM operator_orders o
            WHERE o.account_id = p_account AND o.campaign_id IN (0, p_campaign)),
        '-infinity'));
END $$;

CREATE FUNCTION public.commit_journal(p_node text, p_account bigint[], p_campaign bigint[], p_batch integer[], p_epoch bigint[], p_group bigint[], p_begins boolean[], p_moves boolean[], p_waits boolean[], p_patience integer, p_sealed bytea[], p_delivered integer[], p_bounced integer[], p_expired integer[], p_suppressed integer[], p_invalid integer[], p_cancelled integer[], p_in_doubt integer[], p_deferred integer[], p_resent integer[]) RETURNS TABLE(place integer, answer text, standing smallint)
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    AS $$
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

CREATE FUNCTION public.commit_told_journal(p_node text, p_account bigint[], p_campaign bigint[], p_batch integer[], p_epoch bigint[], p_group bigint[], p_begins boolean[], p_moves boolean[], p_waits boolean[], p_patience integer, p_sealed bytea[], p_delivered integer[], p_bounced integer[], p_expired integer[], p_suppressed integer[], p_invalid integer[], p_cancelled integer[], p_in_doubt integer[], p_deferred integer[], p_resent integer[], p_told boolean[], p_event_account bigint[], p_event_campaign bigint[], p_event_types bigint[], p_event_count smallint[], p_event_facts bytea[], p_event_private bytea[]) RETURNS TABLE(place integer, answer text, standing smallint)
    LANGUAGE plpgsql
    AS $$
BEGIN
    FOR place, answer, standing IN
        SELECT * FROM commit_journal(
            p_node, p_account, p_campaign, p_batch, p_epoch, p_group, p_begins, p_moves, p_waits, p_patience, p_sealed,
            p_delivered, p_bounced, p_expired, p_suppressed, p_invalid, p_cancelled, p_in_doubt, p_deferred, p_resent)
    LOOP
        IF p_told[place] AND answer <> 'applied' THEN
            RAISE EXCEPTION 'a journal group with events is not applied' USING ERRCODE = 'SL001';
        END IF;
        RETURN NEXT;
    END LOOP;
    PERFORM append_webhook_events(
        p_event_account, p_event_campaign, p_event_types, p_event_count, p_event_facts, p_event_private);
END $$;

CREATE FUNCTION public.enqueue_account(p_account bigint, p_due timestamp with time zone) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF p_account > 500000000000 THEN
        INSERT INTO test_queue AS q (account_id, next_due) VALUES (p_account, p_due)
        ON CONFLICT (account_id) DO UPDATE SET next_due = excluded.next_due WHERE q.next_due > excluded.next_due;
    ELSE
        INSERT INTO account_queue AS q (account_id, next_due) VALUES (p_account, p_due)
        ON CONFLICT (account_id) DO UPDATE SET next_due = excluded.next_due WHERE q.next_due > excluded.next_due;
    END IF;
END $$;

CREATE FUNCTION public.extend_leases(p_node text, p_seconds double precision, p_account bigint[], p_campaign bigint[], p_batch integer[], p_epoch bigint[]) RETURNS TABLE(place integer, is_locked boolean)
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    AS $$
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

CREATE FUNCTION public.free_leases(p_node text) RETURNS void
    LANGUAGE sql
    SET enable_seqscan TO 'off'
    AS $$
    WITH held AS (
        SELECT h.account_id, h.campaign_id, h.batch_no FROM batches h WHERE h.lease_node = p_node
        ORDER BY h.account_id, h.campaign_id, h.batch_no FOR NO KEY UPDATE),
    freed AS (
        UPDATE batches b SET lease_node = NULL, lease_until = NULL
        FROM held
        WHERE (b.account_id, b.campaign_id, b.batch_no) = (held.account_id, held.campaign_id, held.batch_no)
        RETURNING b.account_id)
    SELECT enqueue_account(account_id, clock_timestamp())
    FROM (SELECT DISTINCT account_id FROM freed ORDER BY account_id) AS accounts
$$;

CREATE FUNCTION public.give_back(p_node text, p_seconds double precision, p_account bigint[], p_campaign bigint[], p_batch integer[], p_epoch bigint[]) RETURNS void
    LANGUAGE sql
    SET enable_seqscan TO 'off'
    AS $$
    WITH leased AS (
        SELECT b.account_id, b.campaign_id, b.batch_no
        FROM unnest(p_account, p_campaign, p_batch, p_epoch) AS g (account_id, campaign_id, batch_no, epoch)
        JOIN batches b USING (account_id, campaign_id, batch_no)
        WHERE b.epoch = g.epoch AND b.lease_node = p_node AND b.state IN (1, 2, 4)
        ORDER BY b.account_id, b.campaign_id, b.batch_no FOR NO KEY UPDATE OF b SKIP LOCKED),
    freed AS (
        UPDATE batches b
        SET lease_node = NULL, lease_until = NULL,
            due_at = clock_timestamp() + make_interval(secs => p_seconds)
        FROM leased
        WHERE (b.account_id, b.campaign_id, b.batch_no)
            = (leased.account_id, leased.campaign_id, leased.batch_no)
        RETURNING b.account_id)
    SELECT enqueue_account(account_id, clock_timestamp() + make_interval(secs => p_seconds))
    FROM (SELECT DISTINCT account_id FROM freed ORDER BY account_id) AS accounts
$$;

CREATE FUNCTION public.heartbeat(p_node text, p_seconds double precision) RETURNS integer
    LANGUAGE plpgsql
    AS $$
BEGIN
    UPDATE nodes SET seen_at = clock_timestamp() WHERE node = p_node;
    RETURN (SELECT count(*) FROM nodes WHERE seen_at > clock_timestamp() - make_interval(secs => p_seconds));
END $$;

CREATE FUNCTION public.heartbeat(p_node text, p_seconds double precision, p_pools text[]) RETURNS integer
    LANGUAGE plpgsql
    AS $$
BEGIN
    UPDATE nodes SET seen_at = clock_timestamp(), pools = p_pools WHERE node = p_node;
    RETURN (SELECT count(*) FROM nodes WHERE seen_at > clock_timestamp() - make_interval(secs => p_seconds));
END $$;

CREATE FUNCTION public.is_suspended(p_account bigint) RETURNS boolean
    LANGUAGE sql STABLE
    AS $$
    SELECT EXISTS (
        SELECT FROM operator_orders o
        WHERE o.account_id = p_account AND o.campaign_id = 0 AND o.lane = ''
            AND (o.ends_at IS NULL OR o.ends_at > now()))
$$;

CREATE FUNCTION public.isolate_accounts(VARIADIC p_tables regclass[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    v_table regclass;
BEGIN
    FOREACH v_table IN ARRAY p_tables LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', v_table);
        EXECUTE format('CREATE POLICY every_account ON %s TO sluice_app USING (true)', v_table);
        EXECUTE format('CREATE POLICY own_account ON %s TO sluice_api USING (account_id = session_account())', v_table);
    END LOOP;
END $$;

CREATE FUNCTION public.lease_site_tokens(p_site text, p_rate double precision, p_burst double precision, p_wanted integer) RETURNS integer
    LANGUAGE plpgsql
    AS $$
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

CREATE FUNCTION public.ledger_check_account() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
BEGIN
    IF NEW.entry_count < OLD.entry_count OR NOT EXISTS (
        SELECT FROM ledger_entries e
        WHERE e.account_id = NEW.account_id AND e.entry_no = NEW.entry_count
            AND e.posted_after = NEW.posted AND e.held_after = NEW.held AND e.chain = NEW.chain_head) THEN
        RAISE EXCEPTION 'credits move only with a ledger entry' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION public.ledger_check_entry() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    posted bigint := 0;
    held bigint := 0;
BEGIN
    IF NEW.entry_no > 1 THEN
        SELECT e.posted_after, e.held_after INTO posted, held FROM ledger_entries e
            WHERE e.account_id = NEW.account_id AND e.entry_no = NEW.entry_no - 1;
    END IF;
    IF (NEW.posted_before, NEW.held_before) IS DISTINCT FROM (posted, held) OR NOT EXISTS (
        SELECT FROM accounts a WHERE a.account_id = NEW.account_id AND a.entry_count >= NEW.entry_no) THEN
        RAISE EXCEPTION 'a ledger entry must continue the one before it'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION public.ledger_check_hold() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'open' THEN
            RAISE EXCEPTION 'a hold begins open' USING ERRCODE = 'restrict_violation';
        END IF;
    ELSIF OLD.state <> 'open' OR NEW.state <> 'resolved'
        OR (NEW.account_id, NEW.campaign_id, NEW.batch_no, NEW.amount, NEW.created_at)
            IS DISTINCT FROM (OLD.account_id, OLD.campaign_id, OLD.batch_no, OLD.amount, OLD.created_at) THEN
        RAISE EXCEPTION 'a hold resolves once and changes in no other way'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION public.ledger_lock(account bigint, campaign bigint, batches integer[], key text, OUT posted bigint, OUT held bigint, OUT credit_limit bigint, OUT entry_count bigint, OUT chain_head bytea, OUT read_at timestamp with time zone, OUT prior_entry bigint, OUT hold_batches integer[], OUT hold_amounts bigint[], OUT hold_open boolean[]) RETURNS SETOF record
    LANGUAGE plpgsql
    AS $$
BEGIN
    SELECT a.posted, a.held, a.credit_limit, a.entry_count, a.chain_head
        INTO posted, held, credit_limit, entry_count, chain_head
        FROM accounts a WHERE a.account_id = account FOR NO KEY UPDATE;
    IF NOT FOUND THEN RETURN; END IF;
    read_at := clock_timestamp();
    IF key IS NOT NULL THEN
        SELECT e.entry_no INTO prior_entry FROM ledger_entries e
            WHERE e.account_id = account AND e.idempotency_key = key;
    END IF;
    IF cardinality(batches) > 0 THEN
        SELECT array_agg(h.batch_no ORDER BY h.batch_no), array_agg(h.amount ORDER BY h.batch_no),
                array_agg(h.state = 'open' ORDER BY h.batch_no)
            INTO hold_batches, hold_amounts, hold_open
            FROM holds h
            WHERE h.account_id = account AND h.campaign_id = campaign AND h.batch_no = ANY (batches);
    END IF;
    RETURN NEXT;
END $$;

CREATE FUNCTION public.ledger_note_limit() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    number bigint;
    noted bigint;
BEGIN
    SELECT c.change_no, c.credit_limit INTO number, noted FROM limit_changes c
        WHERE c.account_id = NEW.account_id ORDER BY c.change_no DESC LIMIT 1;
    IF noted IS DISTINCT FROM NEW.credit_limit THEN
        INSERT INTO limit_changes (account_id, change_no, credit_limit)
        VALUES (NEW.account_id, coalesce(number, 0) + 1, NEW.credit_limit);
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION public.ledger_refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION '% on % is refused: the ledger is append-only', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE FUNCTION public.number_ended_batch() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    NEW.ended_no := nextval(pg_get_serial_sequence('journal', 'seq'));
    NEW.ended_at := clock_timestamp();
    RETURN NEW;
END $$;

CREATE FUNCTION public.open_sign_in_window(p_subject bytea, OUT attempts integer, OUT seconds integer) RETURNS record
    LANGUAGE sql
    AS $$
    INSERT INTO sign_in_attempts AS a (subject) VALUES (p_subject)
    ON CONFLICT (subject) DO UPDATE SET (started_at, attempts) = (
        SELECT CASE WHEN o.is_open THEN a.started_at ELSE now() END, CASE WHEN o.is_open THEN a.attempts ELSE 0 END
        FROM (SELECT abs(extract(epoch FROM now() - a.started_at)) < 900 AS is_open) o)
    RETURNING a.attempts, greatest(1, ceil(extract(epoch FROM a.started_at - now()) + 900))::integer
$$;

CREATE FUNCTION public.open_sign_up_day(p_subject bytea, OUT attempts integer, OUT seconds integer) RETURNS record
    LANGUAGE sql
    AS $$
    INSERT INTO sign_up_attempts AS a (subject) VALUES (p_subject)
    ON CONFLICT (subject) DO UPDATE SET (started_at, attempts) = (
        SELECT CASE WHEN o.is_open THEN a.started_at ELSE now() END, CASE WHEN o.is_open THEN a.attempts ELSE 0 END
        FROM (SELECT abs(extract(epoch FROM now() - a.started_at)) < 86400 AS is_open) o)
    RETURNING a.attempts, greatest(1, ceil(extract(epoch FROM a.started_at - now()) + 86400))::integer
$$;

CREATE FUNCTION public.proven_by_others(p_account bigint, p_domains text[]) RETURNS SETOF text
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$ SELECT domain FROM domain_owners WHERE domain = ANY (p_domains) AND account_id <> p_account $$;

CREATE FUNCTION public.purge_newer_data() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    DELETE FROM campaign_answers a WHERE a.account_id = NEW.account_id AND a.campaign_id = NEW.campaign_id;
    DELETE FROM uploads u WHERE u.account_id = NEW.account_id AND u.campaign_id = NEW.campaign_id;
    UPDATE campaign_blocks b SET text = ''
    WHERE b.account_id = NEW.account_id AND b.campaign_id = NEW.campaign_id AND b.text <> '';
    NEW.pause_reason := NULL;
    RETURN NEW;
END $$;

CREATE FUNCTION public.recall_awaiting() RETURNS void
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    AS $$
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

CREATE FUNCTION public.renew_leases(p_node text, p_seconds double precision, p_account bigint[], p_campaign bigint[], p_batch integer[], p_epoch bigint[]) RETURNS TABLE(place integer)
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    AS $$
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

CREATE FUNCTION public.session_account() RETURNS bigint
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN (NULLIF(current_setting('sluice.account'::text, true), ''::text))::bigint;

CREATE FUNCTION public.start_campaigns(p_account bigint[], p_campaign bigint[]) RETURNS void
    LANGUAGE sql
    AS $$ SELECT begin_campaigns(p_account, p_campaign) $$;

CREATE FUNCTION public.take_over_leases(p_node text, p_seconds double precision) RETURNS TABLE(account_id bigint, campaign_id bigint, batch_no integer, epoch bigint)
    LANGUAGE sql
    SET enable_seqscan TO 'off'
    AS $$
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

CREATE FUNCTION public.take_requests(p_account bigint, p_key bigint, p_requests integer, p_limit integer, OUT granted integer, OUT used integer, OUT seconds integer) RETURNS record
    LANGUAGE sql
    AS $$
    INSERT INTO request_windows AS w (account_id, key_id, started_at, used, granted)
    VALUES (p_account, p_key, now(), least(p_requests, p_limit), least(p_requests, p_limit))
    ON CONFLICT (account_id, key_id) DO UPDATE SET (started_at, used, granted) = (
        SELECT CASE WHEN o.is_open THEN w.started_at ELSE now() END,
            CASE WHEN o.is_open THEN w.used + o.granted ELSE excluded.used END,
            CASE WHEN o.is_open THEN o.granted ELSE excluded.granted END
        FROM (SELECT abs(extract(epoch FROM now() - w.started_at)) < 60 AS is_open,
            greatest(0, least(p_requests, p_limit - w.used)) AS granted) o)
    RETURNING w.granted, w.used, greatest(1, ceil(extract(epoch FROM w.started_at - now()) + 60))::integer
$$;

CREATE FUNCTION public.take_sign_in(p_network bytea, p_pair bytea, p_address bytea, p_network_limit integer, p_pair_limit integer, p_address_limit integer, p_wary_limit integer) RETURNS integer
    LANGUAGE plpgsql
    AS $$
DECLARE
    network record;
    pair record;
    address record;
BEGIN
    SELECT * INTO network FROM open_sign_in_window(p_network);
    IF network.attempts >= p_network_limit THEN
        RETURN network.seconds;
    END IF;
    SELECT * INTO pair FROM open_sign_in_window(p_pair);
    IF pair.attempts >= p_pair_limit THEN
        RETURN pair.seconds;
    END IF;
    SELECT * INTO address FROM open_sign_in_window(p_address);
    IF address.attempts >= p_address_limit AND pair.attempts >= p_wary_limit THEN
        RETURN pair.seconds;
    END IF;
    UPDATE sign_in_attempts SET attempts = sign_in_attempts.attempts + 1
    WHERE subject IN (p_network, p_pair, p_address);
    RETURN 0;
END
$$;

CREATE FUNCTION public.take_sign_up(p_network bytea, p_address bytea, p_all bytea, p_network_limit integer, p_address_limit integer, p_limit integer) RETURNS integer
    LANGUAGE plpgsql
    AS $$
DECLARE
    refused integer;
    network record;
    address record;
    everybody record;
BEGIN
    SELECT max(greatest(1, ceil(extract(epoch FROM a.started_at - now()) + 86400)))::integer INTO refused
    FROM sign_up_attempts a
    JOIN (VALUES (p_network, p_network_limit), (p_address, p_address_limit), (p_all, p_limit)) AS l (subject, most)
        ON l.subject = a.subject
    WHERE a.attempts >= l.most AND abs(extract(epoch FROM now() - a.started_at)) < 86400;
    IF refused IS NOT NULL THEN
        RETURN refused;
    END IF;
    SELECT * INTO network FROM open_sign_up_day(p_network);
    IF network.attempts >= p_network_limit THEN
        RETURN network.seconds;
    END IF;
    SELECT * INTO address FROM open_sign_up_day(p_address);
    IF address.attempts >= p_address_limit THEN
        RETURN address.seconds;
    END IF;
    SELECT * INTO everybody FROM open_sign_up_day(p_all);
    IF everybody.attempts >= p_limit THEN
        RETURN everybody.seconds;
    END IF;
    UPDATE sign_up_attempts SET attempts = sign_up_attempts.attempts + 1
    WHERE subject IN (p_network, p_address, p_all);
    RETURN 0;
END
$$;

CREATE FUNCTION public.users_keep_an_owner() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    was_owner boolean := TG_OP <> 'INSERT' AND OLD.role = 'owner';
    is_owner boolean := TG_OP <> 'DELETE' AND NEW.role = 'owner';
BEGIN
    IF is_owner AND NOT was_owner THEN
        INSERT INTO account_people AS p (account_id, owners) VALUES (NEW.account_id, 1)
        ON CONFLICT (account_id) DO UPDATE SET owners = p.owners + 1;
    ELSIF was_owner AND NOT is_owner THEN
        UPDATE account_people SET owners = owners - 1 WHERE account_id = OLD.account_id AND owners > 1;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the last owner stays one'
                USING ERRCODE = 'restrict_violation', CONSTRAINT = 'users_keep_an_owner';
        END IF;
    ELSIF TG_OP = 'INSERT' THEN
        INSERT INTO account_people (account_id) VALUES (NEW.account_id) ON CONFLICT DO NOTHING;
        IF NEW.account_id > 0 AND NOT EXISTS (
            SELECT FROM account_people WHERE account_id = NEW.account_id AND owners > 0
        ) THEN
            RAISE EXCEPTION 'the first user of an account is its owner'
                USING ERRCODE = 'restrict_violation', CONSTRAINT = 'users_begin_with_an_owner';
        END IF;
    END IF;
    RETURN NULL;
END
$$;

CREATE TABLE public.account_key_checks (
    account_id bigint NOT NULL,
    check_value bytea,
    CONSTRAINT account_key_checks_check_value_check CHECK ((octet_length(check_value) = 16))
);

ALTER TABLE ONLY public.account_key_checks FORCE ROW LEVEL SECURITY;

CREATE TABLE public.account_limits (
    account_id bigint NOT NULL,
    name text NOT NULL,
    value bigint NOT NULL,
    CONSTRAINT account_limits_name_check CHECK ((name ~ '^[a-z_]{1,50}$'::text)),
    CONSTRAINT account_limits_value_check CHECK ((value >= 0))
);

ALTER TABLE ONLY public.account_limits FORCE ROW LEVEL SECURITY;

CREATE TABLE public.account_names (
    name text NOT NULL,
    account_id bigint NOT NULL,
    CONSTRAINT account_names_name_check CHECK (((char_length(name) >= 1) AND (char_length(name) <= 200)))
);

ALTER TABLE ONLY public.account_names FORCE ROW LEVEL SECURITY;

ALTER TABLE public.account_names ALTER COLUMN account_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.account_names_account_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.account_people (
    account_id bigint NOT NULL,
    owners integer DEFAULT 0 NOT NULL,
    session_generation bigint DEFAULT 0 NOT NULL,
    demands_second_factor boolean DEFAULT false NOT NULL,
    CONSTRAINT account_people_owners_check CHECK ((owners >= 0))
)
WITH (fillfactor='70');

ALTER TABLE ONLY public.account_people FORCE ROW LEVEL SECURITY;

CREATE TABLE public.account_queue (
    account_id bigint NOT NULL,
    next_due timestamp with time zone NOT NULL,
    served_at timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL
)
WITH (fillfactor='50');

ALTER TABLE ONLY public.account_queue FORCE ROW LEVEL SECURITY;

CREATE TABLE public.account_refunds (
    account_id bigint NOT NULL,
    refund_seconds integer NOT NULL,
    CONSTRAINT account_refunds_refund_seconds_check CHECK (((refund_seconds >= 0) AND (refund_seconds <= 2592000)))
);

ALTER TABLE ONLY public.account_refunds FORCE ROW LEVEL SECURITY;

CREATE TABLE public.account_shaping (
    account_id bigint NOT NULL,
    weight integer DEFAULT 1 NOT NULL,
    rate double precision,
    pool text,
    campaign_pools text[] DEFAULT '{}'::text[] NOT NULL,
    CONSTRAINT account_shaping_pool_check CHECK ((pool <> ''::text)),
    CONSTRAINT account_shaping_rate_check CHECK ((rate > (0)::double precision)),
    CONSTRAINT account_shaping_weight_check CHECK (((weight >= 1) AND (weight <= 1000)))
);

ALTER TABLE ONLY public.account_shaping FORCE ROW LEVEL SECURITY;

CREATE TABLE public.accounts (
    account_id bigint NOT NULL,
    name text NOT NULL,
    posted bigint DEFAULT 0 NOT NULL,
    held bigint DEFAULT 0 NOT NULL,
    credit_limit bigint DEFAULT 0 NOT NULL,
    entry_count bigint DEFAULT 0 NOT NULL,
    chain_head bytea DEFAULT '\x'::bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT accounts_account_id_check CHECK ((account_id > 0)),
    CONSTRAINT accounts_bounds CHECK ((((posted >= '-2305843009213693952'::bigint) AND (posted <= '2305843009213693952'::bigint)) AND ((held >= 0) AND (held <= '2305843009213693952'::bigint)) AND ((credit_limit >= 0) AND (credit_limit <= '2305843009213693952'::bigint)) AND (entry_count >= 0))),
    CONSTRAINT accounts_within_limit CHECK (((posted - held) >= (- credit_limit)))
)
WITH (fillfactor='50');

ALTER TABLE ONLY public.accounts FORCE ROW LEVEL SECURITY;

CREATE TABLE public.acme_accounts (
    directory text NOT NULL,
    sealed_key bytea NOT NULL,
    url text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT acme_accounts_directory_check CHECK (((char_length(directory) >= 1) AND (char_length(directory) <= 1000))),
    CONSTRAINT acme_accounts_url_check CHECK (((char_length(url) >= 1) AND (char_length(url) <= 1000)))
);

CREATE TABLE public.acme_certificates (
    directory text NOT NULL,
    names text NOT NULL,
    due_at timestamp with time zone DEFAULT now() NOT NULL,
    leased_until timestamp with time zone,
    attempt bigint DEFAULT 0 NOT NULL,
    failures integer DEFAULT 0 NOT NULL,
    problem text,
    version bigint DEFAULT 0 NOT NULL,
    chain text,
    sealed_key bytea,
    not_before timestamp with time zone,
    not_after timestamp with time zone,
    wanted_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT acme_certificates_chain_check CHECK ((char_length(chain) <= 200000)),
    CONSTRAINT acme_certificates_failures_check CHECK ((failures >= 0)),
    CONSTRAINT acme_certificates_names_check CHECK (((char_length(names) >= 3) AND (char_length(names) <= 30000))),
    CONSTRAINT acme_certificates_problem_check CHECK ((char_length(problem) <= 500)),
    CONSTRAINT acme_certificates_whole CHECK ((((chain IS NULL) = (version = 0)) AND ((sealed_key IS NULL) = (version = 0)) AND ((not_before IS NULL) = (version = 0)) AND ((not_after IS NULL) = (version = 0))))
);

CREATE TABLE public.acme_challenges (
    token text NOT NULL,
    name text NOT NULL,
    key_authorization text NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT acme_challenges_key_authorization_check CHECK (((char_length(key_authorization) >= 1) AND (char_length(key_authorization) <= 300))),
    CONSTRAINT acme_challenges_token_check CHECK (((char_length(token) >= 1) AND (char_length(token) <= 200)))
);

CREATE TABLE public.api_key_hashes (
    key_hash bytea NOT NULL,
    account_id bigint NOT NULL,
    key_id bigint NOT NULL,
    CONSTRAINT api_key_hashes_key_hash_check CHECK ((octet_length(key_hash) = 32))
);

ALTER TABLE ONLY public.api_key_hashes FORCE ROW LEVEL SECURITY;

ALTER TABLE public.api_key_hashes ALTER COLUMN key_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.api_key_hashes_key_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.api_keys (
    account_id bigint NOT NULL,
    key_id bigint NOT NULL,
    name text NOT NULL,
    mode text NOT NULL,
    display_prefix text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    last_used_at timestamp with time zone,
    revoked_at timestamp with time zone,
    scopes text[],
    networks text[] DEFAULT '{}'::text[] NOT NULL,
    expires_at timestamp with time zone,
    requests_per_minute integer,
    CONSTRAINT api_keys_display_prefix_check CHECK ((char_length(display_prefix) = 12)),
    CONSTRAINT api_keys_mode_check CHECK ((mode = ANY (ARRAY['live'::text, 'test'::text]))),
    CONSTRAINT api_keys_name_check CHECK (((char_length(name) >= 1) AND (char_length(name) <= 100))),
    CONSTRAINT api_keys_networks_check CHECK ((cardinality(networks) <= 100)),
    CONSTRAINT api_keys_requests_per_minute_check CHECK (((requests_per_minute >= 1) AND (requests_per_minute <= 1000000))),
    CONSTRAINT api_keys_scopes_check CHECK (((cardinality(scopes) >= 1) AND (cardinality(scopes) <= 100)))
)
WITH (fillfactor='70');

ALTER TABLE ONLY public.api_keys FORCE ROW LEVEL SECURITY;

CREATE TABLE public.batch_recipients (
    account_id bigint NOT NULL,
    campaign_id bigint NOT NULL,
    batch_no integer NOT NULL,
    sealed bytea NOT NULL
);
ALTER TABLE ONLY public.batch_recipients ALTER COLUMN sealed SET STORAGE EXTERNAL;

ALTER TABLE ONLY public.batch_recipients FORCE ROW LEVEL SECURITY;

CREATE TABLE public.batch_results (
    account_id bigint NOT NULL,
    campaign_id bigint NOT NULL,
    batch_no integer NOT NULL,
    sealed bytea NOT NULL,
    marks bytea
);
ALTER TABLE ONLY public.batch_results ALTER COLUMN sealed SET STORAGE EXTERNAL;
ALTER TABLE ONLY public.batch_results ALTER COLUMN marks SET STORAGE EXTERNAL;

ALTER TABLE ONLY public.batch_results FORCE ROW LEVEL SECURITY;

CREATE TABLE public.batches (
    account_id bigint NOT NULL,
    campaign_id bigint NOT NULL,
    batch_no integer NOT NULL,
    state smallint DEFAULT 0 NOT NULL,
    recipients integer NOT NULL,
    finished integer DEFAULT 0 NOT NULL,
    delivered integer DEFAULT 0 NOT NULL,
    deferred integer DEFAULT 0 NOT NULL,
    attempt integer DEFAULT 0 NOT NULL,
    due_at timestamp with time zone,
    lease_node text,
    lease_until timestamp with time zone,
    epoch bigint DEFAULT 0 NOT NULL,
    last_group bigint DEFAULT 0 NOT NULL,
    awaits_resume boolean DEFAULT false NOT NULL,
    latest_due_at timestamp with time zone,
    hold_no integer,
    ended_no bigint,
    ended_at timestamp with time zone,
    CONSTRAINT batches_batch_no_check CHECK ((batch_no >= 1)),
    CONSTRAINT batches_check CHECK (((delivered >= 0) AND (delivered <= finished) AND (deferred >= 0) AND ((finished + deferred) <= recipients))),
    CONSTRAINT batches_recipients_check CHECK ((recipients >= 0)),
    CONSTRAINT batches_state_check CHECK (((state >= 0) AND (state <= 5)))
)
WITH (fillfactor='50');

ALTER TABLE ONLY public.batches FORCE ROW LEVEL SECURITY;

CREATE TABLE public.campaign_answers (
    account_id bigint NOT NULL,
    campaign_id bigint NOT NULL,
    answers double precision NOT NULL,
    blocks double precision NOT NULL
)
WITH (fillfactor='50');

ALTER TABLE ONLY public.campaign_answers FORCE ROW LEVEL SECURITY;

CREATE TABLE public.campaign_blocks (
    account_id bigint NOT NULL,
    campaign_id bigint NOT NULL,
    code integer NOT NULL,
    enhanced text NOT NULL,
    text text NOT NULL,
    count bigint NOT NULL,
    first_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    last_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

ALTER TABLE ONLY public.campaign_blocks FORCE ROW LEVEL SECURITY;

CREATE TABLE public.campaign_brakes (
    account_id bigint NOT NULL,
    campaign_id bigint NOT NULL,
    level smallint NOT NULL,
    cause text NOT NULL,
    is_of_account boolean NOT NULL,
    delivered bigint NOT NULL,
    hard_bounces bigint NOT NULL,
    complaints bigint NOT NULL,
    set_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    is_slowed boolean DEFAULT false NOT NULL,
    rate_before integer,
    provider text,
    CONSTRAINT campaign_brakes_level_check CHECK (((level >= 0) AND (level <= 3)))
);

ALTER TABLE ONLY public.campaign_brakes FORCE ROW LEVEL SECURITY;

CREATE TABLE public.campaign_content (
    account_id bigint NOT NULL,
    campaign_id bigint NOT NULL,
    sealed bytea NOT NULL,
    lacking bytea
);
ALTER TABLE ONLY public.campaign_content ALTER COLUMN sealed SET STORAGE EXTERNAL;

ALTER TABLE ONLY public.campaign_content FORCE ROW LEVEL SECURITY;

CREATE TABLE public.campaign_paces (
    account_id bigint NOT NULL,
    campaign_id bigint NOT NULL,
    free_at timestamp with time zone NOT NULL
)
WITH (fillfactor='50');

ALTER TABLE ONLY public.campaign_paces FORCE ROW LEVEL SECURITY;

CREATE TABLE public.campaign_reasons (
    account_id bigint NOT NULL,
    campaign_id bigint NOT NULL,
    outcome smallint NOT NULL,
    reason text NOT NULL,
    count bigint NOT NULL,
    CONSTRAINT campaign_reasons_count_check CHECK ((count >= 0)),
    CONSTRAINT campaign_reasons_outcome_check CHECK ((outcome = ANY (ARRAY[2, 3]))),
    CONSTRAINT campaign_reasons_reason_check CHECK (((octet_length(reason) >= 1) AND (octet_length(reason) <= 40)))
)
WITH (fillfactor='50');

ALTER TABLE ONLY public.campaign_reasons FORCE ROW LEVEL SECURITY;

CREATE TABLE public.campaigns (
    account_id bigint NOT NULL,
    campaign_id bigint NOT NULL,
    state text DEFAULT 'draft'::text NOT NULL,
    from_domain text NOT NULL,
    in_doubt_policy text DEFAULT 'resend'::text NOT NULL,
    expiry_seconds integer DEFAULT 172800 NOT NULL,
    batch_size integer DEFAULT 1000 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    scheduled_at timestamp with time zone,
    queued_at timestamp with time zone,
    started_at timestamp with time zone,
    paused_at timestamp with time zone,
    expires_at timestamp with time zone,
    completed_at timestamp with time zone,
    purged_at timestamp with time zone,
    next_batch integer DEFAULT 1 NOT NULL,
    open_batches integer DEFAULT 0 NOT NULL,
    recipients integer DEFAULT 0 NOT NULL,
    delivered integer DEFAULT 0 NOT NULL,
    bounced integer DEFAULT 0 NOT NULL,
    expired integer DEFAULT 0 NOT NULL,
    suppressed integer DEFAULT 0 NOT NULL,
    invalid integer DEFAULT 0 NOT NULL,
    cancelled integer DEFAULT 0 NOT NULL,
    in_doubt integer DEFAULT 0 NOT NULL,
    deferred integer DEFAULT 0 NOT NULL,
    in_doubt_resent integer DEFAULT 0 NOT NULL,
    certificate text,
    rate_per_hour integer,
    failed_at timestamp with time zone,
    requires_tls boolean DEFAULT false NOT NULL,
    pause_reason text,
    source_pool text,
    results_until timestamp with time zone,
    results_seconds integer DEFAULT 0 NOT NULL,
    refund_seconds integer DEFAULT 0 NOT NULL,
    CONSTRAINT campaigns_batch_size_check CHECK (((batch_size >= 1) AND (batch_size <= 1000))),
    CONSTRAINT campaigns_bounced_check CHECK ((bounced >= 0)),
    CONSTRAINT campaigns_cancelled_check CHECK ((cancelled >= 0)),
    CONSTRAINT campaigns_counters_fit CHECK (((((((((delivered + bounced) + expired) + suppressed) + invalid) + cancelled) + in_doubt) + deferred) <= recipients)),
    CONSTRAINT campaigns_deferred_check CHECK ((deferred >= 0)),
    CONSTRAINT campaigns_delivered_check CHECK ((delivered >= 0)),
    CONSTRAINT campaigns_end_is_whole CHECK ((((state <> 'completed'::text) AND (purged_at IS NULL)) OR (((((((delivered + bounced) + expired) + suppressed) + invalid) + cancelled) + in_doubt) = recipients))),
    CONSTRAINT campaigns_expired_check CHECK ((expired >= 0)),
    CONSTRAINT campaigns_expiry_seconds_check CHECK ((expiry_seconds > 0)),
    CONSTRAINT campaigns_in_doubt_check CHECK ((in_doubt >= 0)),
    CONSTRAINT campaigns_in_doubt_policy_check CHECK ((in_doubt_policy = ANY (ARRAY['resend'::text, 'skip'::text]))),
    CONSTRAINT campaigns_in_doubt_resent_check CHECK ((in_doubt_resent >= 0)),
    CONSTRAINT campaigns_invalid_check CHECK ((invalid >= 0)),
    CONSTRAINT campaigns_next_batch_check CHECK ((next_batch >= 1)),
    CONSTRAINT campaigns_open_batches_check CHECK ((open_batches >= 0)),
    CONSTRAINT campaigns_purge_is_last CHECK (((purged_at IS NULL) OR ((state = ANY (ARRAY['completed'::text, 'cancelled'::text])) AND (open_batches = 0) AND (certificate IS NOT NULL)))),
    CONSTRAINT campaigns_rate_per_hour_check CHECK ((rate_per_hour >= 1)),
    CONSTRAINT campaigns_recipients_check CHECK ((recipients >= 0)),
    CONSTRAINT campaigns_source_pool_check CHECK ((source_pool <> ''::text)),
    CONSTRAINT campaigns_state_check CHECK ((state = ANY (ARRAY['draft'::text, 'scheduled'::text, 'queued'::text, 'sending'::text, 'paused'::text, 'completed'::text, 'cancelled'::text]))),
    CONSTRAINT campaigns_suppressed_check CHECK ((suppressed >= 0))
)
WITH (fillfactor='50');

ALTER TABLE ONLY public.campaigns FORCE ROW LEVEL SECURITY;

CREATE TABLE public.dead_addresses (
    account_id bigint NOT NULL,
    fingerprint bytea NOT NULL,
    campaigns bigint[] NOT NULL,
    seen_at timestamp with time zone NOT NULL,
    CONSTRAINT dead_addresses_fingerprint_check CHECK ((octet_length(fingerprint) = 16))
);

ALTER TABLE ONLY public.dead_addresses FORCE ROW LEVEL SECURITY;

CREATE TABLE public.domain_findings (
    account_id bigint NOT NULL,
    domain text NOT NULL,
    name text NOT NULL,
    purpose text NOT NULL,
    state text NOT NULL,
    seen text,
    note text,
    CONSTRAINT domain_findings_state_check CHECK ((state = ANY (ARRAY['found'::text, 'missing'::text, 'wrong'::text, 'unknown'::text])))
);

ALTER TABLE ONLY public.domain_findings FORCE ROW LEVEL SECURITY;

CREATE TABLE public.domain_keys (
    account_id bigint NOT NULL,
    domain text NOT NULL,
    selector text NOT NULL,
    algorithm text NOT NULL,
    record text NOT NULL,
    sealed bytea NOT NULL,
    "position" smallint NOT NULL,
    role text DEFAULT 'signing'::text NOT NULL,
    retired_at timestamp with time zone,
    CONSTRAINT domain_keys_role_check CHECK ((role = ANY (ARRAY['next'::text, 'signing'::text, 'retired'::text])))
);

ALTER TABLE ONLY public.domain_keys FORCE ROW LEVEL SECURITY;

CREATE TABLE public.domain_owners (
    domain text NOT NULL,
    account_id bigint NOT NULL
);

ALTER TABLE ONLY public.domain_owners FORCE ROW LEVEL SECURITY;

CREATE TABLE public.domain_reports (
    account_id bigint NOT NULL,
    domain text NOT NULL,
    report_no bigint NOT NULL,
    kind text NOT NULL,
    organization text NOT NULL,
    report_id text NOT NULL,
    begins_at timestamp with time zone NOT NULL,
    ends_at timestamp with time zone NOT NULL,
    good bigint NOT NULL,
    bad bigint NOT NULL,
    sources text[] NOT NULL,
    counts bigint[] NOT NULL,
    goods boolean[] NOT NULL,
    details text[] NOT NULL,
    received_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT domain_reports_kind_check CHECK ((kind = ANY (ARRAY['dmarc'::text, 'tls'::text])))
);

ALTER TABLE ONLY public.domain_reports FORCE ROW LEVEL SECURITY;

ALTER TABLE public.domain_reports ALTER COLUMN report_no ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.domain_reports_report_no_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.domains (
    account_id bigint NOT NULL,
    domain text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    state text DEFAULT 'pending'::text NOT NULL,
    challenge text DEFAULT replace(((gen_random_uuid())::text || (gen_random_uuid())::text), '-'::text, ''::text) NOT NULL,
    verified_at timestamp with time zone,
    failing_since timestamp with time zone,
    checked_at timestamp with time zone,
    next_check_at timestamp with time zone DEFAULT now() NOT NULL,
    pausing boolean DEFAULT false NOT NULL,
    CONSTRAINT domains_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'verified'::text, 'failing'::text, 'stopped'::text])))
);

ALTER TABLE ONLY public.domains FORCE ROW LEVEL SECURITY;

CREATE TABLE public.feedback_by_provider (
    account_id bigint NOT NULL,
    campaign_id bigint NOT NULL,
    provider text NOT NULL,
    hour timestamp with time zone NOT NULL,
    delivered bigint DEFAULT 0 NOT NULL,
    hard_bounces bigint DEFAULT 0 NOT NULL,
    complaints bigint DEFAULT 0 NOT NULL
)
WITH (fillfactor='50');

ALTER TABLE ONLY public.feedback_by_provider FORCE ROW LEVEL SECURITY;

CREATE TABLE public.feedback_facts (
    account_id bigint NOT NULL,
    campaign_id bigint NOT NULL,
    fingerprint bytea NOT NULL,
    fact smallint NOT NULL,
    channel text NOT NULL,
    reason text NOT NULL,
    occurred_at timestamp with time zone,
    noted_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT feedback_facts_channel_check CHECK (((octet_length(channel) >= 1) AND (octet_length(channel) <= 40))),
    CONSTRAINT feedback_facts_fact_check CHECK (((fact >= 1) AND (fact <= 5))),
    CONSTRAINT feedback_facts_fingerprint_check CHECK ((octet_length(fingerprint) = 16)),
    CONSTRAINT feedback_facts_reason_check CHECK ((octet_length(reason) <= 60))
);

ALTER TABLE ONLY public.feedback_facts FORCE ROW LEVEL SECURITY;

CREATE TABLE public.feedback_hours (
    account_id bigint NOT NULL,
    campaign_id bigint NOT NULL,
    hour timestamp with time zone NOT NULL,
    delivered bigint DEFAULT 0 NOT NULL,
    hard_bounces bigint DEFAULT 0 NOT NULL,
    complaints bigint DEFAULT 0 NOT NULL
)
WITH (fillfactor='50');

ALTER TABLE ONLY public.feedback_hours FORCE ROW LEVEL SECURITY;

CREATE TABLE public.holds (
    account_id bigint NOT NULL,
    campaign_id bigint NOT NULL,
    batch_no integer NOT NULL,
    amount bigint NOT NULL,
    state text DEFAULT 'open'::text NOT NULL,
    charged bigint DEFAULT 0 NOT NULL,
    released bigint DEFAULT 0 NOT NULL,
    carried bigint DEFAULT 0 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    resolved_at timestamp with time zone,
    CONSTRAINT holds_amount_check CHECK (((amount >= 0) AND (amount <= '2305843009213693952'::bigint))),
    CONSTRAINT holds_resolution CHECK (((charged >= 0) AND (released >= 0) AND (carried >= 0) AND
CASE state
    WHEN 'open'::text THEN ((charged = 0) AND (released = 0) AND (carried = 0) AND (resolved_at IS NULL))
    WHEN 'resolved'::text THEN ((((charged + released) + carried) = amount) AND (resolved_at IS NOT NULL))
    ELSE false
END))
)
WITH (fillfactor='70');

ALTER TABLE ONLY public.holds FORCE ROW LEVEL SECURITY;

CREATE TABLE public.idempotency_keys (
    account_id bigint NOT NULL,
    scope text NOT NULL,
    key text NOT NULL,
    request_hash bytea NOT NULL,
    status smallint,
    content_type text,
    body bytea,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT idempotency_keys_answer CHECK (((status IS NULL) = (body IS NULL)))
);

ALTER TABLE ONLY public.idempotency_keys FORCE ROW LEVEL SECURITY;

CREATE TABLE public.installation_suppressions (
    account_id bigint DEFAULT 0 NOT NULL,
    fingerprint bytea NOT NULL,
    reason smallint NOT NULL,
    origin text NOT NULL,
    note text,
    sealed bytea,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT installation_suppressions_account_id_check CHECK ((account_id = 0)),
    CONSTRAINT installation_suppressions_fingerprint_check CHECK ((octet_length(fingerprint) = 16)),
    CONSTRAINT installation_suppressions_note_check CHECK ((octet_length(note) <= 500)),
    CONSTRAINT installation_suppressions_origin_check CHECK ((origin = ANY (ARRAY['customer'::text, 'reply'::text, 'feedback'::text, 'recipient'::text, 'operator'::text]))),
    CONSTRAINT installation_suppressions_reason_check CHECK (((reason >= 1) AND (reason <= 5)))
);

CREATE TABLE public.invitations (
    account_id bigint NOT NULL,
    invitation_id bigint NOT NULL,
    address text NOT NULL,
    role text NOT NULL,
    inviter_id bigint,
    secret_hash bytea,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    mail_due_at timestamp with time zone,
    mailed_at timestamp with time zone,
    accepted_at timestamp with time zone,
    revoked_at timestamp with time zone,
    CONSTRAINT invitations_address_check CHECK ((octet_length(address) <= 320)),
    CONSTRAINT invitations_role_check CHECK ((role = ANY (ARRAY['viewer'::text, 'member'::text, 'manager'::text, 'admin'::text, 'owner'::text]))),
    CONSTRAINT invitations_secret_hash_check CHECK ((octet_length(secret_hash) = 32))
);

ALTER TABLE ONLY public.invitations FORCE ROW LEVEL SECURITY;

ALTER TABLE public.invitations ALTER COLUMN invitation_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.invitations_invitation_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.journal (
    account_id bigint NOT NULL,
    campaign_id bigint NOT NULL,
    batch_no integer NOT NULL,
    seq bigint NOT NULL,
    epoch bigint NOT NULL,
    sealed bytea NOT NULL,
    noted_at timestamp with time zone DEFAULT clock_timestamp()
);
ALTER TABLE ONLY public.journal ALTER COLUMN sealed SET STORAGE EXTERNAL;

ALTER TABLE ONLY public.journal FORCE ROW LEVEL SECURITY;

ALTER TABLE public.journal ALTER COLUMN seq ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.journal_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.ledger_entries (
    account_id bigint NOT NULL,
    entry_no bigint NOT NULL,
    kind text NOT NULL,
    campaign_id bigint,
    batch_no integer,
    amount bigint NOT NULL,
    posted_before bigint NOT NULL,
    posted_after bigint NOT NULL,
    held_before bigint NOT NULL,
    held_after bigint NOT NULL,
    idempotency_key text,
    request_hash bytea,
    digest bytea,
    memo text DEFAULT ''::text NOT NULL,
    chain bytea NOT NULL,
    created_at timestamp with time zone NOT NULL,
    recipient bytea,
    CONSTRAINT ledger_entries_arithmetic CHECK (
CASE kind
    WHEN 'grant'::text THEN ((amount > 0) AND (posted_after = (posted_before + amount)) AND (held_after = held_before))
    WHEN 'adjust'::text THEN ((amount <> 0) AND (posted_after = (posted_before + amount)) AND (held_after = held_before))
    WHEN 'reserve'::text THEN ((amount >= 0) AND (posted_after = posted_before) AND (held_after = (held_before + amount)))
    WHEN 'settle'::text THEN ((amount >= 0) AND (posted_after = (posted_before - amount)) AND (held_after <= (held_before - amount)))
    WHEN 'release'::text THEN ((amount >= 0) AND (posted_after = posted_before) AND (held_after = (held_before - amount)))
    WHEN 'purge'::text THEN ((amount = 0) AND (posted_after = posted_before) AND (held_after = held_before))
    WHEN 'refund'::text THEN ((amount = 1) AND (posted_after = (posted_before + amount)) AND (held_after = held_before))
    ELSE false
END),
    CONSTRAINT ledger_entries_chain_check CHECK ((octet_length(chain) = 32)),
    CONSTRAINT ledger_entries_digest_check CHECK ((octet_length(digest) = 32)),
    CONSTRAINT ledger_entries_entry_no_check CHECK ((entry_no > 0)),
    CONSTRAINT ledger_entries_key CHECK (((idempotency_key IS NULL) = (request_hash IS NULL))),
    CONSTRAINT ledger_entries_recipient CHECK (
CASE
    WHEN (kind = 'refund'::text) THEN COALESCE((octet_length(recipient) = 16), false)
    ELSE (recipient IS NULL)
END),
    CONSTRAINT ledger_entries_request_hash_check CHECK ((octet_length(request_hash) = 32)),
    CONSTRAINT ledger_entries_subject CHECK ((((campaign_id IS NULL) = (kind = ANY (ARRAY['grant'::text, 'adjust'::text]))) AND ((batch_no IS NOT NULL) = (kind = 'settle'::text)) AND ((digest IS NOT NULL) = (kind = 'purge'::text))))
);

ALTER TABLE ONLY public.ledger_entries FORCE ROW LEVEL SECURITY;

CREATE TABLE public.limit_changes (
    account_id bigint NOT NULL,
    change_no bigint NOT NULL,
    credit_limit bigint NOT NULL,
    memo text DEFAULT ''::text NOT NULL,
    chain bytea,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT limit_changes_chain_check CHECK ((octet_length(chain) = 32)),
    CONSTRAINT limit_changes_change_no_check CHECK ((change_no > 0)),
    CONSTRAINT limit_changes_credit_limit_check CHECK (((credit_limit >= 0) AND (credit_limit <= '2305843009213693952'::bigint)))
);

ALTER TABLE ONLY public.limit_changes FORCE ROW LEVEL SECURITY;

CREATE TABLE public.mail_codes (
    browser_hash bytea NOT NULL,
    purpose text NOT NULL,
    account_id bigint,
    user_id bigint,
    user_generation bigint,
    code_hash bytea,
    attempts integer DEFAULT 0 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    mail_due_at timestamp with time zone,
    used_at timestamp with time zone,
    CONSTRAINT mail_codes_attempts_check CHECK ((attempts >= 0)),
    CONSTRAINT mail_codes_browser_hash_check CHECK ((octet_length(browser_hash) = 32)),
    CONSTRAINT mail_codes_code_hash_check CHECK ((octet_length(code_hash) = 32)),
    CONSTRAINT mail_codes_purpose_check CHECK ((purpose = ANY (ARRAY['password'::text, 'device'::text]))),
    CONSTRAINT mail_codes_user CHECK ((((account_id IS NULL) = (user_id IS NULL)) AND ((account_id IS NULL) = (user_generation IS NULL))))
)
WITH (fillfactor='70');

ALTER TABLE ONLY public.mail_codes FORCE ROW LEVEL SECURITY;

CREATE TABLE public.mta_sts_policies (
    domain text NOT NULL,
    id text NOT NULL,
    mode text NOT NULL,
    mx text[] NOT NULL,
    max_age_seconds integer NOT NULL,
    fetched_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    kept_at timestamp with time zone NOT NULL
);

CREATE TABLE public.node_sources (
    node text NOT NULL,
    source text NOT NULL,
    pool text,
    warm_up_from integer,
    allowances bigint[] NOT NULL,
    is_seen boolean DEFAULT true NOT NULL
);

CREATE TABLE public.nodes (
    node text NOT NULL,
    started_at timestamp with time zone NOT NULL,
    seen_at timestamp with time zone NOT NULL,
    life text DEFAULT ''::text NOT NULL,
    pools text[],
    sources text[] DEFAULT '{}'::text[] NOT NULL
);

CREATE TABLE public.operator_orders (
    account_id bigint DEFAULT 0 NOT NULL,
    campaign_id bigint DEFAULT 0 NOT NULL,
    lane text DEFAULT ''::text NOT NULL,
    action text NOT NULL,
    reason text NOT NULL,
    given_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    ends_at timestamp with time zone,
    CONSTRAINT operator_orders_fit CHECK (
CASE
    WHEN (account_id = 0) THEN ((campaign_id = 0) AND (lane <> ''::text) AND (action = ANY (ARRAY['suspend'::text, 'drain'::text, 'fail'::text, 'resume'::text])))
    ELSE ((lane = ''::text) AND (action = ANY (ARRAY['suspend'::text, 'drain'::text])))
END)
);

ALTER TABLE ONLY public.operator_orders FORCE ROW LEVEL SECURITY;

CREATE TABLE public.provider_payloads (
    source_id bigint NOT NULL,
    receipt bytea NOT NULL,
    digest bytea NOT NULL,
    octets integer NOT NULL,
    sealed bytea,
    received_at timestamp with time zone DEFAULT now() NOT NULL,
    due_at timestamp with time zone DEFAULT now() NOT NULL,
    problem text,
    events integer DEFAULT 0 NOT NULL,
    recognised integer DEFAULT 0 NOT NULL,
    noted integer DEFAULT 0 NOT NULL,
    CONSTRAINT provider_payloads_digest_check CHECK ((octet_length(digest) = 32)),
    CONSTRAINT provider_payloads_problem_check CHECK ((octet_length(problem) <= 60)),
    CONSTRAINT provider_payloads_receipt_check CHECK ((octet_length(receipt) = 32))
);
ALTER TABLE ONLY public.provider_payloads ALTER COLUMN sealed SET STORAGE EXTERNAL;

CREATE TABLE public.provider_rests (
    provider text NOT NULL,
    source text NOT NULL,
    until timestamp with time zone NOT NULL,
    code integer NOT NULL,
    enhanced text NOT NULL
);

CREATE TABLE public.provider_sources (
    source_id bigint NOT NULL,
    provider text NOT NULL,
    name text NOT NULL,
    secret_hash bytea NOT NULL,
    sealed bytea NOT NULL,
    test_until timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    last_at timestamp with time zone,
    payloads bigint DEFAULT 0 NOT NULL,
    events bigint DEFAULT 0 NOT NULL,
    recognised bigint DEFAULT 0 NOT NULL,
    noted bigint DEFAULT 0 NOT NULL,
    CONSTRAINT provider_sources_name_check CHECK (((octet_length(name) >= 1) AND (octet_length(name) <= 100))),
    CONSTRAINT provider_sources_provider_check CHECK (((octet_length(provider) >= 1) AND (octet_length(provider) <= 20))),
    CONSTRAINT provider_sources_sealed_check CHECK ((octet_length(sealed) <= 65536)),
    CONSTRAINT provider_sources_secret_hash_check CHECK ((octet_length(secret_hash) = 32))
);

ALTER TABLE public.provider_sources ALTER COLUMN source_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.provider_sources_source_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.recovery_codes (
    account_id bigint NOT NULL,
    user_id bigint NOT NULL,
    code_hash bytea NOT NULL,
    used_at timestamp with time zone,
    CONSTRAINT recovery_codes_code_hash_check CHECK ((octet_length(code_hash) = 32))
)
WITH (fillfactor='70');

ALTER TABLE ONLY public.recovery_codes FORCE ROW LEVEL SECURITY;

CREATE TABLE public.refunds_due (
    account_id bigint NOT NULL,
    campaign_id bigint NOT NULL,
    fingerprint bytea NOT NULL,
    noted_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT refunds_due_fingerprint_check CHECK ((octet_length(fingerprint) = 16))
);

ALTER TABLE ONLY public.refunds_due FORCE ROW LEVEL SECURITY;

CREATE UNLOGGED TABLE public.request_windows (
    account_id bigint NOT NULL,
    key_id bigint NOT NULL,
    started_at timestamp with time zone NOT NULL,
    used integer NOT NULL,
    granted integer NOT NULL
)
WITH (fillfactor='50');

ALTER TABLE ONLY public.request_windows FORCE ROW LEVEL SECURITY;

CREATE TABLE public.schema_migrations (
    version bigint NOT NULL,
    name text NOT NULL,
    checksum bytea NOT NULL,
    applied_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

CREATE TABLE public.second_factor_changes (
    account_id bigint NOT NULL,
    user_id bigint NOT NULL,
    change_id bigint NOT NULL,
    change text NOT NULL,
    reason text,
    changed_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT second_factor_changes_change_check CHECK ((change = ANY (ARRAY['enabled'::text, 'disabled'::text, 'recovery_code_used'::text, 'recovery_codes_replaced'::text, 'removed_by_operator'::text]))),
    CONSTRAINT second_factor_changes_check CHECK (((octet_length(reason) <= 800) AND ((reason IS NOT NULL) = (change = 'removed_by_operator'::text))))
);

ALTER TABLE ONLY public.second_factor_changes FORCE ROW LEVEL SECURITY;

ALTER TABLE public.second_factor_changes ALTER COLUMN change_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.second_factor_changes_change_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.second_factors (
    account_id bigint NOT NULL,
    user_id bigint NOT NULL,
    sealed bytea NOT NULL,
    begun_at timestamp with time zone DEFAULT now() NOT NULL,
    confirmed_at timestamp with time zone,
    last_step bigint DEFAULT 0 NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    attempts_since timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT second_factors_last_step_check CHECK ((last_step >= 0))
)
WITH (fillfactor='70');

ALTER TABLE ONLY public.second_factors FORCE ROW LEVEL SECURITY;

CREATE TABLE public.session_keys (
    key_id text NOT NULL,
    sealed bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.sessions (
    account_id bigint NOT NULL,
    session_id bigint NOT NULL,
    user_id bigint NOT NULL,
    refresh_hash bytea NOT NULL,
    user_generation bigint NOT NULL,
    account_generation bigint NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    last_seen_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    revoked_at timestamp with time zone,
    client text,
    network text,
    CONSTRAINT sessions_client_check CHECK (((octet_length(client) >= 1) AND (octet_length(client) <= 40))),
    CONSTRAINT sessions_network_check CHECK (((octet_length(network) >= 1) AND (octet_length(network) <= 49))),
    CONSTRAINT sessions_refresh_hash_check CHECK ((octet_length(refresh_hash) = 32))
)
WITH (fillfactor='70');

ALTER TABLE ONLY public.sessions FORCE ROW LEVEL SECURITY;

ALTER TABLE public.sessions ALTER COLUMN session_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.sessions_session_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE UNLOGGED TABLE public.sign_in_attempts (
    subject bytea NOT NULL,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    CONSTRAINT sign_in_attempts_subject_check CHECK ((octet_length(subject) = 32))
)
WITH (fillfactor='70');

CREATE TABLE public.sign_up_attempts (
    subject bytea NOT NULL,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    CONSTRAINT sign_up_attempts_subject_check CHECK ((octet_length(subject) = 32))
)
WITH (fillfactor='70');

CREATE TABLE public.sign_ups (
    browser_hash bytea NOT NULL,
    address text NOT NULL,
    account_name text NOT NULL,
    password_hash text NOT NULL,
    code_hash bytea,
    attempts integer DEFAULT 0 NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    mail_due_at timestamp with time zone,
    CONSTRAINT sign_ups_address_check CHECK ((octet_length(address) <= 320)),
    CONSTRAINT sign_ups_attempts_check CHECK ((attempts >= 0)),
    CONSTRAINT sign_ups_browser_hash_check CHECK ((octet_length(browser_hash) = 32)),
    CONSTRAINT sign_ups_code_hash_check CHECK ((octet_length(code_hash) = 32)),
    CONSTRAINT sign_ups_password_hash_check CHECK ((password_hash ~~ '$2b$%'::text))
)
WITH (fillfactor='70');

CREATE TABLE public.site_tokens (
    site text NOT NULL,
    tokens double precision NOT NULL,
    refilled_at timestamp with time zone NOT NULL
)
WITH (fillfactor='50');

CREATE TABLE public.source_usage (
    source text NOT NULL,
    provider text NOT NULL,
    day integer NOT NULL,
    sent bigint NOT NULL
)
WITH (fillfactor='50');

CREATE TABLE public.suppressions (
    account_id bigint NOT NULL,
    fingerprint bytea NOT NULL,
    reason smallint NOT NULL,
    origin text NOT NULL,
    note text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    sealed bytea,
    CONSTRAINT suppressions_fingerprint_check CHECK ((octet_length(fingerprint) = 16)),
    CONSTRAINT suppressions_note_check CHECK ((octet_length(note) <= 500)),
    CONSTRAINT suppressions_origin_check CHECK ((origin = ANY (ARRAY['customer'::text, 'reply'::text, 'feedback'::text, 'recipient'::text, 'operator'::text]))),
    CONSTRAINT suppressions_reason_check CHECK (((reason >= 1) AND (reason <= 5)))
);

ALTER TABLE ONLY public.suppressions FORCE ROW LEVEL SECURITY;

CREATE TABLE public.test_queue (
    account_id bigint NOT NULL,
    next_due timestamp with time zone NOT NULL,
    served_at timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    CONSTRAINT test_queue_account_id_check CHECK ((account_id > '500000000000'::bigint))
)
WITH (fillfactor='50');

ALTER TABLE ONLY public.test_queue FORCE ROW LEVEL SECURITY;

CREATE TABLE public.tls_reports (
    day integer NOT NULL,
    domain text NOT NULL,
    results bytea,
    report_id text NOT NULL,
    due_at bigint NOT NULL,
    first_tried_at bigint,
    sent_to text[] DEFAULT '{}'::text[] NOT NULL,
    is_finished boolean DEFAULT false NOT NULL
);

CREATE TABLE public.uncharged_mails (
    account_id bigint NOT NULL,
    campaign_id bigint NOT NULL,
    fingerprint bytea NOT NULL,
    CONSTRAINT uncharged_mails_fingerprint_check CHECK ((octet_length(fingerprint) = ANY (ARRAY[0, 16])))
);

ALTER TABLE ONLY public.uncharged_mails FORCE ROW LEVEL SECURITY;

CREATE TABLE public.uploads (
    account_id bigint NOT NULL,
    campaign_id bigint NOT NULL,
    upload_no bigint NOT NULL,
    started_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

ALTER TABLE ONLY public.uploads FORCE ROW LEVEL SECURITY;

ALTER TABLE public.uploads ALTER COLUMN upload_no ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.uploads_upload_no_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.user_addresses (
    address text NOT NULL,
    account_id bigint NOT NULL,
    user_id bigint NOT NULL,
    CONSTRAINT user_addresses_address_check CHECK ((octet_length(address) <= 320))
);

ALTER TABLE ONLY public.user_addresses FORCE ROW LEVEL SECURITY;

ALTER TABLE public.user_addresses ALTER COLUMN user_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.user_addresses_user_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.user_devices (
    account_id bigint NOT NULL,
    user_id bigint NOT NULL,
    device_hash bytea NOT NULL,
    user_generation bigint NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT user_devices_device_hash_check CHECK ((octet_length(device_hash) = 32))
);

ALTER TABLE ONLY public.user_devices FORCE ROW LEVEL SECURITY;

CREATE UNLOGGED TABLE public.user_request_windows (
    account_id bigint NOT NULL,
    user_id bigint NOT NULL,
    started_at timestamp with time zone NOT NULL,
    used integer NOT NULL,
    granted integer NOT NULL
)
WITH (fillfactor='50');

ALTER TABLE ONLY public.user_request_windows FORCE ROW LEVEL SECURITY;

CREATE TABLE public.users (
    account_id bigint NOT NULL,
    user_id bigint NOT NULL,
    address text NOT NULL,
    role text NOT NULL,
    password_hash text,
    generation bigint DEFAULT 0 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    last_sign_in_at timestamp with time zone,
    customer_id bigint GENERATED ALWAYS AS (NULLIF(account_id, 0)) STORED,
    name text,
    CONSTRAINT users_account_id_check CHECK ((account_id >= 0)),
    CONSTRAINT users_kind CHECK (((role = 'operator'::text) = (account_id = 0))),
    CONSTRAINT users_name_check CHECK (((char_length(name) >= 1) AND (char_length(name) <= 100))),
    CONSTRAINT users_password_hash_check CHECK ((password_hash ~~ '$2b$%'::text)),
    CONSTRAINT users_role_check CHECK ((role = ANY (ARRAY['viewer'::text, 'member'::text, 'manager'::text, 'admin'::text, 'owner'::text, 'operator'::text])))
)
WITH (fillfactor='70');

ALTER TABLE ONLY public.users FORCE ROW LEVEL SECURITY;

CREATE TABLE public.webhook_attempts (
    account_id bigint NOT NULL,
    endpoint_id bigint NOT NULL,
    attempt_no bigint NOT NULL,
    message text NOT NULL,
    events smallint NOT NULL,
    attempt smallint NOT NULL,
    status smallint,
    milliseconds integer NOT NULL,
    error text,
    attempted_at timestamp with time zone NOT NULL
);

ALTER TABLE ONLY public.webhook_attempts FORCE ROW LEVEL SECURITY;

ALTER TABLE public.webhook_attempts ALTER COLUMN attempt_no ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.webhook_attempts_attempt_no_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.webhook_deliveries (
    account_id bigint NOT NULL,
    endpoint_id bigint NOT NULL,
    campaign_id bigint NOT NULL,
    event_no bigint NOT NULL,
    first_event smallint DEFAULT 0 NOT NULL,
    end_event smallint NOT NULL,
    replay integer DEFAULT 0 NOT NULL,
    message_no bigint,
    attempts smallint DEFAULT 0 NOT NULL,
    next_at timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL
);

ALTER TABLE ONLY public.webhook_deliveries FORCE ROW LEVEL SECURITY;

CREATE TABLE public.webhook_endpoints (
    account_id bigint NOT NULL,
    endpoint_id bigint NOT NULL,
    sealed bytea NOT NULL,
    types bigint NOT NULL,
    batch_size smallint NOT NULL,
    description text NOT NULL,
    disabled_reason text,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    replays integer DEFAULT 0 NOT NULL,
    lease_node text,
    lease_until timestamp with time zone,
    rest_until timestamp with time zone,
    failures integer DEFAULT 0 NOT NULL,
    failing_since timestamp with time zone,
    delivered bigint DEFAULT 0 NOT NULL,
    failed bigint DEFAULT 0 NOT NULL,
    dropped bigint DEFAULT 0 NOT NULL,
    CONSTRAINT webhook_endpoints_batch_size_check CHECK (((batch_size >= 1) AND (batch_size <= 100))),
    CONSTRAINT webhook_endpoints_description_check CHECK ((octet_length(description) <= 200)),
    CONSTRAINT webhook_endpoints_disabled_reason_check CHECK (((octet_length(disabled_reason) >= 1) AND (octet_length(disabled_reason) <= 60))),
    CONSTRAINT webhook_endpoints_types_check CHECK ((types > 0))
);

ALTER TABLE ONLY public.webhook_endpoints FORCE ROW LEVEL SECURITY;

CREATE TABLE public.webhook_events (
    account_id bigint NOT NULL,
    event_no bigint NOT NULL,
    campaign_id bigint NOT NULL,
    types bigint NOT NULL,
    events smallint NOT NULL,
    octets integer NOT NULL,
    facts bytea NOT NULL,
    private bytea,
    waiting smallint NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT webhook_events_events_check CHECK (((events >= 1) AND (events <= 100)))
)
WITH (toast_tuple_target='8160');
ALTER TABLE ONLY public.webhook_events ALTER COLUMN facts SET STORAGE EXTERNAL;
ALTER TABLE ONLY public.webhook_events ALTER COLUMN private SET STORAGE EXTERNAL;

ALTER TABLE ONLY public.webhook_events FORCE ROW LEVEL SECURITY;

ALTER TABLE public.webhook_events ALTER COLUMN event_no ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.webhook_events_event_no_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

ALTER TABLE ONLY public.account_key_checks
    ADD CONSTRAINT account_key_checks_pkey PRIMARY KEY (account_id);

ALTER TABLE ONLY public.account_limits
    ADD CONSTRAINT account_limits_pkey PRIMARY KEY (account_id, name);

ALTER TABLE ONLY public.account_names
    ADD CONSTRAINT account_names_account_id_key UNIQUE (account_id);

ALTER TABLE ONLY public.account_names
    ADD CONSTRAINT account_names_pkey PRIMARY KEY (name);

ALTER TABLE ONLY public.account_people
    ADD CONSTRAINT account_people_pkey PRIMARY KEY (account_id);

ALTER TABLE ONLY public.account_queue
    ADD CONSTRAINT account_queue_pkey PRIMARY KEY (account_id);

ALTER TABLE ONLY public.account_refunds
    ADD CONSTRAINT account_refunds_pkey PRIMARY KEY (account_id);

ALTER TABLE ONLY public.account_shaping
    ADD CONSTRAINT account_shaping_pkey PRIMARY KEY (account_id);

ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_pkey PRIMARY KEY (account_id);

ALTER TABLE public.accounts
    ADD CONSTRAINT accounts_test CHECK (((account_id <= '500000000000'::bigint) OR ((posted = 0) AND (held = 0) AND (credit_limit = 0) AND (entry_count = 0)))) NOT VALID;

ALTER TABLE ONLY public.acme_accounts
    ADD CONSTRAINT acme_accounts_pkey PRIMARY KEY (directory);

ALTER TABLE ONLY public.acme_certificates
    ADD CONSTRAINT acme_certificates_pkey PRIMARY KEY (directory, names);

ALTER TABLE ONLY public.acme_challenges
    ADD CONSTRAINT acme_challenges_pkey PRIMARY KEY (token);

ALTER TABLE ONLY public.api_key_hashes
    ADD CONSTRAINT api_key_hashes_pkey PRIMARY KEY (key_hash);

ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_pkey PRIMARY KEY (account_id, key_id);

ALTER TABLE ONLY public.batch_recipients
    ADD CONSTRAINT batch_recipients_pkey PRIMARY KEY (account_id, campaign_id, batch_no);

ALTER TABLE ONLY public.batch_results
    ADD CONSTRAINT batch_results_pkey PRIMARY KEY (account_id, campaign_id, batch_no);

ALTER TABLE ONLY public.batches
    ADD CONSTRAINT batches_pkey PRIMARY KEY (account_id, campaign_id, batch_no);

ALTER TABLE ONLY public.campaign_answers
    ADD CONSTRAINT campaign_answers_pkey PRIMARY KEY (account_id, campaign_id);

ALTER TABLE ONLY public.campaign_blocks
    ADD CONSTRAINT campaign_blocks_pkey PRIMARY KEY (account_id, campaign_id, code, enhanced);

ALTER TABLE ONLY public.campaign_brakes
    ADD CONSTRAINT campaign_brakes_pkey PRIMARY KEY (account_id, campaign_id);

ALTER TABLE ONLY public.campaign_content
    ADD CONSTRAINT campaign_content_pkey PRIMARY KEY (account_id, campaign_id);

ALTER TABLE ONLY public.campaign_paces
    ADD CONSTRAINT campaign_paces_pkey PRIMARY KEY (account_id, campaign_id);

ALTER TABLE ONLY public.campaign_reasons
    ADD CONSTRAINT campaign_reasons_pkey PRIMARY KEY (account_id, campaign_id, outcome, reason);

ALTER TABLE ONLY public.campaigns
    ADD CONSTRAINT campaigns_pkey PRIMARY KEY (account_id, campaign_id);

ALTER TABLE ONLY public.dead_addresses
    ADD CONSTRAINT dead_addresses_pkey PRIMARY KEY (account_id, fingerprint);

ALTER TABLE ONLY public.domain_findings
    ADD CONSTRAINT domain_findings_pkey PRIMARY KEY (account_id, domain, name, purpose);

ALTER TABLE ONLY public.domain_keys
    ADD CONSTRAINT domain_keys_pkey PRIMARY KEY (account_id, domain, selector);

ALTER TABLE ONLY public.domain_owners
    ADD CONSTRAINT domain_owners_pkey PRIMARY KEY (domain);

ALTER TABLE ONLY public.domain_reports
    ADD CONSTRAINT domain_reports_account_id_domain_kind_organization_report_i_key UNIQUE (account_id, domain, kind, organization, report_id);

ALTER TABLE ONLY public.domain_reports
    ADD CONSTRAINT domain_reports_pkey PRIMARY KEY (account_id, domain, report_no);

ALTER TABLE ONLY public.domains
    ADD CONSTRAINT domains_pkey PRIMARY KEY (account_id, domain);

ALTER TABLE ONLY public.feedback_by_provider
    ADD CONSTRAINT feedback_by_provider_pkey PRIMARY KEY (account_id, campaign_id, provider, hour);

ALTER TABLE ONLY public.feedback_facts
    ADD CONSTRAINT feedback_facts_pkey PRIMARY KEY (account_id, campaign_id, fingerprint, fact);

ALTER TABLE ONLY public.feedback_hours
    ADD CONSTRAINT feedback_hours_pkey PRIMARY KEY (account_id, campaign_id, hour);

ALTER TABLE public.holds
    ADD CONSTRAINT holds_live CHECK ((account_id <= '500000000000'::bigint)) NOT VALID;

ALTER TABLE ONLY public.holds
    ADD CONSTRAINT holds_pkey PRIMARY KEY (account_id, campaign_id, batch_no);

ALTER TABLE ONLY public.idempotency_keys
    ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY (account_id, scope, key);

ALTER TABLE ONLY public.installation_suppressions
    ADD CONSTRAINT installation_suppressions_pkey PRIMARY KEY (account_id, fingerprint);

ALTER TABLE ONLY public.invitations
    ADD CONSTRAINT invitations_pkey PRIMARY KEY (account_id, invitation_id);

ALTER TABLE ONLY public.journal
    ADD CONSTRAINT journal_pkey PRIMARY KEY (account_id, campaign_id, batch_no, seq);

ALTER TABLE ONLY public.ledger_entries
    ADD CONSTRAINT ledger_entries_pkey PRIMARY KEY (account_id, entry_no);

ALTER TABLE ONLY public.limit_changes
    ADD CONSTRAINT limit_changes_pkey PRIMARY KEY (account_id, change_no);

ALTER TABLE ONLY public.mail_codes
    ADD CONSTRAINT mail_codes_pkey PRIMARY KEY (browser_hash);

ALTER TABLE ONLY public.mta_sts_policies
    ADD CONSTRAINT mta_sts_policies_pkey PRIMARY KEY (domain);

ALTER TABLE ONLY public.node_sources
    ADD CONSTRAINT node_sources_pkey PRIMARY KEY (node, source);

ALTER TABLE ONLY public.nodes
    ADD CONSTRAINT nodes_pkey PRIMARY KEY (node);

ALTER TABLE ONLY public.operator_orders
    ADD CONSTRAINT operator_orders_pkey PRIMARY KEY (account_id, campaign_id, lane);

ALTER TABLE ONLY public.provider_payloads
    ADD CONSTRAINT provider_payloads_pkey PRIMARY KEY (source_id, receipt);

ALTER TABLE ONLY public.provider_rests
    ADD CONSTRAINT provider_rests_pkey PRIMARY KEY (provider, source);

ALTER TABLE ONLY public.provider_sources
    ADD CONSTRAINT provider_sources_pkey PRIMARY KEY (source_id);

ALTER TABLE ONLY public.provider_sources
    ADD CONSTRAINT provider_sources_secret_hash_key UNIQUE (secret_hash);

ALTER TABLE ONLY public.recovery_codes
    ADD CONSTRAINT recovery_codes_pkey PRIMARY KEY (account_id, user_id, code_hash);

ALTER TABLE ONLY public.refunds_due
    ADD CONSTRAINT refunds_due_pkey PRIMARY KEY (account_id, campaign_id, fingerprint);

ALTER TABLE ONLY public.request_windows
    ADD CONSTRAINT request_windows_pkey PRIMARY KEY (account_id, key_id);

ALTER TABLE ONLY public.schema_migrations
    ADD CONSTRAINT schema_migrations_pkey PRIMARY KEY (version);

ALTER TABLE ONLY public.second_factor_changes
    ADD CONSTRAINT second_factor_changes_pkey PRIMARY KEY (account_id, user_id, change_id);

ALTER TABLE ONLY public.second_factors
    ADD CONSTRAINT second_factors_pkey PRIMARY KEY (account_id, user_id);

ALTER TABLE ONLY public.session_keys
    ADD CONSTRAINT session_keys_pkey PRIMARY KEY (key_id);

ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (account_id, session_id);

ALTER TABLE ONLY public.sign_in_attempts
    ADD CONSTRAINT sign_in_attempts_pkey PRIMARY KEY (subject);

ALTER TABLE ONLY public.sign_up_attempts
    ADD CONSTRAINT sign_up_attempts_pkey PRIMARY KEY (subject);

ALTER TABLE ONLY public.sign_ups
    ADD CONSTRAINT sign_ups_pkey PRIMARY KEY (browser_hash);

ALTER TABLE ONLY public.site_tokens
    ADD CONSTRAINT site_tokens_pkey PRIMARY KEY (site);

ALTER TABLE ONLY public.source_usage
    ADD CONSTRAINT source_usage_pkey PRIMARY KEY (source, provider, day);

ALTER TABLE ONLY public.suppressions
    ADD CONSTRAINT suppressions_pkey PRIMARY KEY (account_id, fingerprint);

ALTER TABLE ONLY public.test_queue
    ADD CONSTRAINT test_queue_pkey PRIMARY KEY (account_id);

ALTER TABLE ONLY public.tls_reports
    ADD CONSTRAINT tls_reports_pkey PRIMARY KEY (day, domain);

ALTER TABLE ONLY public.uncharged_mails
    ADD CONSTRAINT uncharged_mails_pkey PRIMARY KEY (account_id, campaign_id, fingerprint);

ALTER TABLE ONLY public.uploads
    ADD CONSTRAINT uploads_pkey PRIMARY KEY (account_id, campaign_id);

ALTER TABLE ONLY public.user_addresses
    ADD CONSTRAINT user_addresses_pkey PRIMARY KEY (address);

ALTER TABLE ONLY public.user_devices
    ADD CONSTRAINT user_devices_pkey PRIMARY KEY (account_id, user_id, device_hash);

ALTER TABLE ONLY public.user_request_windows
    ADD CONSTRAINT user_request_windows_pkey PRIMARY KEY (account_id, user_id);

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (account_id, user_id);

ALTER TABLE ONLY public.webhook_attempts
    ADD CONSTRAINT webhook_attempts_pkey PRIMARY KEY (account_id, endpoint_id, attempt_no);

ALTER TABLE ONLY public.webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (account_id, endpoint_id, campaign_id, event_no);

ALTER TABLE ONLY public.webhook_endpoints
    ADD CONSTRAINT webhook_endpoints_pkey PRIMARY KEY (account_id, endpoint_id);

ALTER TABLE ONLY public.webhook_events
    ADD CONSTRAINT webhook_events_pkey PRIMARY KEY (account_id, event_no) INCLUDE (octets);

CREATE INDEX account_queue_due ON public.account_queue USING btree (next_due);

CREATE INDEX batch_recipients_staged ON public.batch_recipients USING btree (account_id, campaign_id) WHERE (batch_no < 0);

CREATE INDEX batches_at_work ON public.batches USING btree (account_id, campaign_id, batch_no) WHERE (lease_node IS NOT NULL);

CREATE INDEX batches_awaiting_resume ON public.batches USING btree (account_id, campaign_id, batch_no) WHERE awaits_resume;

CREATE INDEX batches_claimable ON public.batches USING btree (account_id, campaign_id, due_at, batch_no) WHERE (state = ANY (ARRAY[1, 4]));

CREATE INDEX batches_leased ON public.batches USING btree (lease_node) WHERE (lease_node IS NOT NULL);

CREATE INDEX batches_paused ON public.batches USING btree (account_id, campaign_id, batch_no) WHERE (state = 2);

CREATE INDEX batches_to_join ON public.batches USING btree (account_id, campaign_id, due_at) WHERE ((state = 1) AND (attempt > 0) AND (epoch = 0));

CREATE INDEX campaigns_active ON public.campaigns USING btree (account_id, campaign_id) WHERE ((purged_at IS NULL) AND (results_until IS NULL) AND (state <> 'draft'::text));

CREATE INDEX campaigns_drafts ON public.campaigns USING btree (account_id, created_at) WHERE (state = 'draft'::text);

CREATE INDEX campaigns_drafts_by_age ON public.campaigns USING btree (created_at) WHERE (state = 'draft'::text);

CREATE INDEX campaigns_ended ON public.campaigns USING btree (results_until) WHERE ((purged_at IS NULL) AND (results_until IS NOT NULL));

CREATE INDEX campaigns_unfinished ON public.campaigns USING btree (account_id, campaign_id) WHERE ((purged_at IS NULL) AND (results_until IS NULL));

CREATE INDEX domain_owners_account ON public.domain_owners USING btree (account_id, domain);

CREATE INDEX domain_reports_by_age ON public.domain_reports USING btree (received_at);

CREATE INDEX domains_due ON public.domains USING btree (next_check_at);

CREATE INDEX domains_pausing ON public.domains USING btree (account_id, domain) WHERE pausing;

CREATE INDEX feedback_by_provider_by_age ON public.feedback_by_provider USING btree (hour);

CREATE INDEX feedback_facts_by_age ON public.feedback_facts USING brin (noted_at);

CREATE INDEX feedback_hours_by_age ON public.feedback_hours USING btree (hour);

CREATE INDEX idempotency_keys_age ON public.idempotency_keys USING btree (created_at);

CREATE INDEX installation_suppressions_by_age ON public.installation_suppressions USING btree (account_id, created_at, fingerprint);

CREATE INDEX installation_suppressions_by_reason ON public.installation_suppressions USING btree (account_id, reason, created_at, fingerprint);

CREATE INDEX invitations_age ON public.invitations USING btree (created_at);

CREATE INDEX invitations_inviter ON public.invitations USING btree (account_id, inviter_id);

CREATE INDEX invitations_mail ON public.invitations USING btree (mail_due_at) WHERE (mail_due_at IS NOT NULL);

CREATE INDEX invitations_secret ON public.invitations USING btree (secret_hash) WHERE (secret_hash IS NOT NULL);

CREATE UNIQUE INDEX ledger_entries_idempotency ON public.ledger_entries USING btree (account_id, idempotency_key) WHERE (idempotency_key IS NOT NULL);

CREATE UNIQUE INDEX ledger_entries_one_refund ON public.ledger_entries USING btree (account_id, campaign_id, recipient) WHERE (kind = 'refund'::text);

CREATE UNIQUE INDEX ledger_entries_one_settlement ON public.ledger_entries USING btree (account_id, campaign_id, batch_no) WHERE (kind = 'settle'::text);

CREATE INDEX mail_codes_age ON public.mail_codes USING btree (created_at);

CREATE INDEX mail_codes_mail ON public.mail_codes USING btree (mail_due_at) WHERE (mail_due_at IS NOT NULL);

CREATE INDEX mail_codes_of_user ON public.mail_codes USING btree (account_id, user_id);

CREATE INDEX mta_sts_policies_expiring ON public.mta_sts_policies USING btree (expires_at);

CREATE INDEX mta_sts_policies_kept ON public.mta_sts_policies USING btree (kept_at);

CREATE INDEX provider_payloads_done ON public.provider_payloads USING btree (received_at) WHERE (sealed IS NULL);

CREATE INDEX provider_payloads_waiting ON public.provider_payloads USING btree (due_at) INCLUDE (octets) WHERE (sealed IS NOT NULL);

CREATE INDEX second_factor_changes_age ON public.second_factor_changes USING btree (changed_at);

CREATE INDEX sessions_age ON public.sessions USING btree (last_seen_at);

CREATE INDEX sessions_user ON public.sessions USING btree (account_id, user_id, session_id);

CREATE INDEX sign_in_attempts_age ON public.sign_in_attempts USING btree (started_at);

CREATE INDEX sign_up_attempts_age ON public.sign_up_attempts USING btree (started_at);

CREATE INDEX sign_ups_end ON public.sign_ups USING btree (expires_at);

CREATE INDEX sign_ups_mail ON public.sign_ups USING btree (mail_due_at) WHERE (mail_due_at IS NOT NULL);

CREATE INDEX suppressions_by_age ON public.suppressions USING btree (account_id, created_at, fingerprint);

CREATE INDEX suppressions_by_reason ON public.suppressions USING btree (account_id, reason, created_at, fingerprint);

CREATE INDEX tls_reports_due ON public.tls_reports USING btree (due_at) WHERE (NOT is_finished);

CREATE INDEX user_devices_age ON public.user_devices USING btree (created_at);

CREATE INDEX webhook_events_by_age ON public.webhook_events USING btree (created_at);

CREATE TRIGGER api_keys_stay_revoked BEFORE UPDATE ON public.api_keys FOR EACH ROW WHEN (((old.revoked_at IS NOT NULL) AND (new.revoked_at IS DISTINCT FROM old.revoked_at))) EXECUTE FUNCTION public.api_keys_stay_revoked();

ALTER TABLE public.api_keys ENABLE ALWAYS TRIGGER api_keys_stay_revoked;

CREATE TRIGGER check_account AFTER UPDATE ON public.accounts FOR EACH ROW WHEN (((((old.posted IS DISTINCT FROM new.posted) OR (old.held IS DISTINCT FROM new.held)) OR (old.entry_count IS DISTINCT FROM new.entry_count)) OR (old.chain_head IS DISTINCT FROM new.chain_head))) EXECUTE FUNCTION public.ledger_check_account();

ALTER TABLE public.accounts ENABLE ALWAYS TRIGGER check_account;

CREATE TRIGGER check_entry AFTER INSERT ON public.ledger_entries FOR EACH ROW EXECUTE FUNCTION public.ledger_check_entry();

ALTER TABLE public.ledger_entries ENABLE ALWAYS TRIGGER check_entry;

CREATE TRIGGER check_hold BEFORE INSERT OR UPDATE ON public.holds FOR EACH ROW EXECUTE FUNCTION public.ledger_check_hold();

ALTER TABLE public.holds ENABLE ALWAYS TRIGGER check_hold;

CREATE TRIGGER note_limit AFTER UPDATE ON public.accounts FOR EACH ROW WHEN ((old.credit_limit IS DISTINCT FROM new.credit_limit)) EXECUTE FUNCTION public.ledger_note_limit();

CREATE TRIGGER note_opening AFTER INSERT ON public.accounts FOR EACH ROW EXECUTE FUNCTION public.ledger_note_limit();

CREATE TRIGGER number_ended_batch BEFORE UPDATE OF state ON public.batches FOR EACH ROW WHEN (((new.state = ANY (ARRAY[3, 5])) AND (old.state <> ALL (ARRAY[3, 5])))) EXECUTE FUNCTION public.number_ended_batch();

CREATE TRIGGER number_ended_part BEFORE INSERT ON public.batches FOR EACH ROW WHEN ((new.state = 3)) EXECUTE FUNCTION public.number_ended_batch();

CREATE TRIGGER purge_newer_data BEFORE UPDATE OF purged_at ON public.campaigns FOR EACH ROW WHEN (((old.purged_at IS NULL) AND (new.purged_at IS NOT NULL))) EXECUTE FUNCTION public.purge_newer_data();

CREATE TRIGGER refuse_row BEFORE DELETE ON public.accounts FOR EACH ROW EXECUTE FUNCTION public.ledger_refuse_change();

ALTER TABLE public.accounts ENABLE ALWAYS TRIGGER refuse_row;

CREATE TRIGGER refuse_row BEFORE DELETE ON public.holds FOR EACH ROW EXECUTE FUNCTION public.ledger_refuse_change();

ALTER TABLE public.holds ENABLE ALWAYS TRIGGER refuse_row;

CREATE TRIGGER refuse_row BEFORE DELETE OR UPDATE ON public.ledger_entries FOR EACH ROW EXECUTE FUNCTION public.ledger_refuse_change();

ALTER TABLE public.ledger_entries ENABLE ALWAYS TRIGGER refuse_row;

CREATE TRIGGER refuse_row BEFORE DELETE OR UPDATE ON public.limit_changes FOR EACH ROW EXECUTE FUNCTION public.ledger_refuse_change();

ALTER TABLE public.limit_changes ENABLE ALWAYS TRIGGER refuse_row;

CREATE TRIGGER refuse_statement BEFORE DELETE OR TRUNCATE ON public.accounts FOR EACH STATEMENT EXECUTE FUNCTION public.ledger_refuse_change();

ALTER TABLE public.accounts ENABLE ALWAYS TRIGGER refuse_statement;

CREATE TRIGGER refuse_statement BEFORE DELETE OR TRUNCATE ON public.holds FOR EACH STATEMENT EXECUTE FUNCTION public.ledger_refuse_change();

ALTER TABLE public.holds ENABLE ALWAYS TRIGGER refuse_statement;

CREATE TRIGGER refuse_statement BEFORE DELETE OR UPDATE OR TRUNCATE ON public.ledger_entries FOR EACH STATEMENT EXECUTE FUNCTION public.ledger_refuse_change();

ALTER TABLE public.ledger_entries ENABLE ALWAYS TRIGGER refuse_statement;

CREATE TRIGGER refuse_statement BEFORE DELETE OR UPDATE OR TRUNCATE ON public.limit_changes FOR EACH STATEMENT EXECUTE FUNCTION public.ledger_refuse_change();

ALTER TABLE public.limit_changes ENABLE ALWAYS TRIGGER refuse_statement;

CREATE TRIGGER users_keep_an_owner AFTER INSERT OR DELETE OR UPDATE OF role ON public.users FOR EACH ROW EXECUTE FUNCTION public.users_keep_an_owner();

ALTER TABLE public.users ENABLE ALWAYS TRIGGER users_keep_an_owner;

ALTER TABLE ONLY public.account_limits
    ADD CONSTRAINT account_limits_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);

ALTER TABLE ONLY public.account_refunds
    ADD CONSTRAINT account_refunds_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);

ALTER TABLE ONLY public.account_shaping
    ADD CONSTRAINT account_shaping_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);

ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);

ALTER TABLE ONLY public.batches
    ADD CONSTRAINT batches_account_id_campaign_id_fkey FOREIGN KEY (account_id, campaign_id) REFERENCES public.campaigns(account_id, campaign_id);

ALTER TABLE ONLY public.campaign_content
    ADD CONSTRAINT campaign_content_account_id_campaign_id_fkey FOREIGN KEY (account_id, campaign_id) REFERENCES public.campaigns(account_id, campaign_id);

ALTER TABLE ONLY public.campaigns
    ADD CONSTRAINT campaigns_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);

ALTER TABLE ONLY public.dead_addresses
    ADD CONSTRAINT dead_addresses_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);

ALTER TABLE ONLY public.domain_findings
    ADD CONSTRAINT domain_findings_account_id_domain_fkey FOREIGN KEY (account_id, domain) REFERENCES public.domains(account_id, domain) ON DELETE CASCADE;

ALTER TABLE ONLY public.domain_keys
    ADD CONSTRAINT domain_keys_account_id_domain_fkey FOREIGN KEY (account_id, domain) REFERENCES public.domains(account_id, domain) ON DELETE CASCADE;

ALTER TABLE ONLY public.domain_owners
    ADD CONSTRAINT domain_owners_account_id_domain_fkey FOREIGN KEY (account_id, domain) REFERENCES public.domains(account_id, domain) ON DELETE CASCADE;

ALTER TABLE ONLY public.domain_reports
    ADD CONSTRAINT domain_reports_account_id_domain_fkey FOREIGN KEY (account_id, domain) REFERENCES public.domains(account_id, domain) ON DELETE CASCADE;

ALTER TABLE ONLY public.domains
    ADD CONSTRAINT domains_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);

ALTER TABLE ONLY public.feedback_by_provider
    ADD CONSTRAINT feedback_by_provider_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);

ALTER TABLE ONLY public.feedback_facts
    ADD CONSTRAINT feedback_facts_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);

ALTER TABLE ONLY public.feedback_hours
    ADD CONSTRAINT feedback_hours_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);

ALTER TABLE ONLY public.holds
    ADD CONSTRAINT holds_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);

ALTER TABLE ONLY public.idempotency_keys
    ADD CONSTRAINT idempotency_keys_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);

ALTER TABLE ONLY public.invitations
    ADD CONSTRAINT invitations_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);

ALTER TABLE ONLY public.invitations
    ADD CONSTRAINT invitations_account_id_inviter_id_fkey FOREIGN KEY (account_id, inviter_id) REFERENCES public.users(account_id, user_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.ledger_entries
    ADD CONSTRAINT ledger_entries_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);

ALTER TABLE ONLY public.limit_changes
    ADD CONSTRAINT limit_changes_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);

ALTER TABLE ONLY public.mail_codes
    ADD CONSTRAINT mail_codes_account_id_user_id_fkey FOREIGN KEY (account_id, user_id) REFERENCES public.users(account_id, user_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.provider_payloads
    ADD CONSTRAINT provider_payloads_source_id_fkey FOREIGN KEY (source_id) REFERENCES public.provider_sources(source_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.recovery_codes
    ADD CONSTRAINT recovery_codes_account_id_user_id_fkey FOREIGN KEY (account_id, user_id) REFERENCES public.second_factors(account_id, user_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.refunds_due
    ADD CONSTRAINT refunds_due_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);

ALTER TABLE ONLY public.second_factors
    ADD CONSTRAINT second_factors_account_id_user_id_fkey FOREIGN KEY (account_id, user_id) REFERENCES public.users(account_id, user_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_account_id_user_id_fkey FOREIGN KEY (account_id, user_id) REFERENCES public.users(account_id, user_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.suppressions
    ADD CONSTRAINT suppressions_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);

ALTER TABLE ONLY public.uncharged_mails
    ADD CONSTRAINT uncharged_mails_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);

ALTER TABLE ONLY public.user_devices
    ADD CONSTRAINT user_devices_account_id_user_id_fkey FOREIGN KEY (account_id, user_id) REFERENCES public.users(account_id, user_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES public.accounts(account_id);

ALTER TABLE ONLY public.webhook_endpoints
    ADD CONSTRAINT webhook_endpoints_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);

ALTER TABLE public.account_key_checks ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.account_limits ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.account_names ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.account_people ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.account_queue ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.account_refunds ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.account_shaping ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.accounts ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.api_key_hashes ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.api_keys ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.batch_recipients ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.batch_results ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.batches ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.campaign_answers ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.campaign_blocks ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.campaign_brakes ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.campaign_content ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.campaign_paces ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.campaign_reasons ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.campaigns ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.dead_addresses ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.domain_findings ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.domain_keys ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.domain_owners ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.domain_reports ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.domains ENABLE ROW LEVEL SECURITY;

CREATE POLICY every_account ON public.account_key_checks TO sluice_app USING (true);

CREATE POLICY every_account ON public.account_limits TO sluice_app USING (true);

CREATE POLICY every_account ON public.account_names TO sluice_app USING (true);

CREATE POLICY every_account ON public.account_people TO sluice_app USING (true);

CREATE POLICY every_account ON public.account_queue TO sluice_app USING (true);

CREATE POLICY every_account ON public.account_refunds TO sluice_app USING (true);

CREATE POLICY every_account ON public.account_shaping TO sluice_app USING (true);

CREATE POLICY every_account ON public.accounts TO sluice_app USING (true);

CREATE POLICY every_account ON public.api_key_hashes TO sluice_app USING (true);

CREATE POLICY every_account ON public.api_keys TO sluice_app USING (true);

CREATE POLICY every_account ON public.batch_recipients TO sluice_app USING (true);

CREATE POLICY every_account ON public.batch_results TO sluice_app USING (true);

CREATE POLICY every_account ON public.batches TO sluice_app USING (true);

CREATE POLICY every_account ON public.campaign_answers TO sluice_app USING (true);

CREATE POLICY every_account ON public.campaign_blocks TO sluice_app USING (true);

CREATE POLICY every_account ON public.campaign_brakes TO sluice_app USING (true);

CREATE POLICY every_account ON public.campaign_content TO sluice_app USING (true);

CREATE POLICY every_account ON public.campaign_paces TO sluice_app USING (true);

CREATE POLICY every_account ON public.campaign_reasons TO sluice_app USING (true);

CREATE POLICY every_account ON public.campaigns TO sluice_app USING (true);

CREATE POLICY every_account ON public.dead_addresses TO sluice_app USING (true);

CREATE POLICY every_account ON public.domain_findings TO sluice_app USING (true);

CREATE POLICY every_account ON public.domain_keys TO sluice_app USING (true);

CREATE POLICY every_account ON public.domain_owners TO sluice_app USING (true);

CREATE POLICY every_account ON public.domain_reports TO sluice_app USING (true);

CREATE POLICY every_account ON public.domains TO sluice_app USING (true);

CREATE POLICY every_account ON public.feedback_by_provider TO sluice_app USING (true);

CREATE POLICY every_account ON public.feedback_facts TO sluice_app USING (true);

CREATE POLICY every_account ON public.feedback_hours TO sluice_app USING (true);

CREATE POLICY every_account ON public.holds TO sluice_app USING (true);

CREATE POLICY every_account ON public.idempotency_keys TO sluice_app USING (true);

CREATE POLICY every_account ON public.invitations TO sluice_app USING (true);

CREATE POLICY every_account ON public.journal TO sluice_app USING (true);

CREATE POLICY every_account ON public.ledger_entries TO sluice_app USING (true);

CREATE POLICY every_account ON public.limit_changes TO sluice_app USING (true);

CREATE POLICY every_account ON public.mail_codes TO sluice_app USING (true);

CREATE POLICY every_account ON public.operator_orders TO sluice_app USING (true);

CREATE POLICY every_account ON public.recovery_codes TO sluice_app USING (true);

CREATE POLICY every_account ON public.refunds_due TO sluice_app USING (true);

CREATE POLICY every_account ON public.request_windows TO sluice_app USING (true);

CREATE POLICY every_account ON public.second_factor_changes TO sluice_app USING (true);

CREATE POLICY every_account ON public.second_factors TO sluice_app USING (true);

CREATE POLICY every_account ON public.sessions TO sluice_app USING (true);

CREATE POLICY every_account ON public.suppressions TO sluice_app USING (true);

CREATE POLICY every_account ON public.test_queue TO sluice_app USING (true);

CREATE POLICY every_account ON public.uncharged_mails TO sluice_app USING (true);

CREATE POLICY every_account ON public.uploads TO sluice_app USING (true);

CREATE POLICY every_account ON public.user_addresses TO sluice_app USING (true);

CREATE POLICY every_account ON public.user_devices TO sluice_app USING (true);

CREATE POLICY every_account ON public.user_request_windows TO sluice_app USING (true);

CREATE POLICY every_account ON public.users TO sluice_app USING (true);

CREATE POLICY every_account ON public.webhook_attempts TO sluice_app USING (true);

CREATE POLICY every_account ON public.webhook_deliveries TO sluice_app USING (true);

CREATE POLICY every_account ON public.webhook_endpoints TO sluice_app USING (true);

CREATE POLICY every_account ON public.webhook_events TO sluice_app USING (true);

ALTER TABLE public.feedback_by_provider ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.feedback_facts ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.feedback_hours ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.holds ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.idempotency_keys ENABLE ROW LEVEL SECURITY;

CREATE POLICY installation ON public.account_key_checks FOR SELECT TO sluice_api USING ((account_id = 0));

ALTER TABLE public.invitations ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.journal ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.ledger_entries ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.limit_changes ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.mail_codes ENABLE ROW LEVEL SECURITY;

CREATE POLICY old_alone ON public.second_factor_changes AS RESTRICTIVE FOR DELETE TO sluice_app USING ((changed_at < (now() - '400 days'::interval)));

ALTER TABLE public.operator_orders ENABLE ROW LEVEL SECURITY;

CREATE POLICY own_account ON public.account_key_checks TO sluice_api USING ((account_id = public.session_account()));

CREATE POLICY own_account ON public.account_limits TO sluice_api USING ((account_id = public.session_account()));

CREATE POLICY own_account ON public.account_names TO sluice_api USING ((account_id = public.session_account()));

CREATE POLICY own_account ON public.account_people TO sluice_api USING ((account_id = public.session_account()));

CREATE POLICY own_account ON public.account_queue TO sluice_api USING ((account_id = public.session_account()));

CREATE POLICY own_account ON public.account_refunds TO sluice_api USING ((account_id = public.session_account()));

CREATE POLICY own_account ON public.account_shaping TO sluice_api USING ((account_id = public.session_account()));

CREATE POLICY own_account ON public.accounts TO sluice_api USING ((account_id = public.session_account()));

CREATE POLICY own_account ON public.api_key_hashes TO sluice_api USING ((account_id = public.session_account()));

CREATE POLICY own_account ON public.api_keys TO sluice_api USING ((account_id = public.session_account()));

CREATE POLICY own_account ON public.batch_recipients TO sluice_api USING ((account_id = public.session_account()));

CREATE POLICY own_account ON public.batch_results TO sluice_api USING ((account_id = public.session_account()));

CREATE POLICY own_account ON public.batches TO sluice_api USING ((account_id = public.session_account()));

CREATE POLICY own_account ON public.campaign_answers TO sluice_api USING ((account_id = public.session_account()));

CREATE POLICY own_account ON public.campaign_blocks TO sluice_api USING ((account_id = public.session_account()));

CREATE POLICY own_account ON public.campaign_brakes TO sluice_api USING ((account_id = public.session_account()));

CREATE POLICY own_account ON public.campaign_content TO sluice_api USING ((account_id = public.session_account()));

CREATE POLICY own_account ON public.campaign_paces TO sluice_api USING ((account_id = public.session_account()));

CREATE POLICY own_account ON public.campaign_reasons TO sluice_api USING ((account_id = public.session_account()));

CREATE POLICY own_account ON public.campaigns TO sluice_api USING ((account_id = public.session_account()));

CREATE POLICY own_account ON public.dead_addresses TO sluice_api USING ((account_id = public.session_account()));

CREATE POLICY own_account ON public.domain_findings TO sluice_api USING ((account_id = public.session_account()));

CREATE POLICY own_account ON public.domain_keys TO sluice_api USING ((account_id = public.session_account()));

CREATE POLICY own_account ON public.domain_owners TO sluice_api USING ((account_id = public.session_account()));

CREATE POLICY own_account ON public.domain_reports TO sluice_api USING ((account_id = public.session_account()));

CREATE POLICY own_account ON public.domains TO sluice_api USING ((account_id = public.session_account()));

CREATE POLICY own_account ON public.feedback_by_provider TO sluice_api USING ((account_id = public.session_account()));

CREATE POLICY own_account ON public.feedback_facts TO sluice_api USING ((account_id = public.session_account()));

CREATE POLICY own_account ON public.feedback_hours TO sluice_api USING ((account_id = public.session_account()));

CREATE POLICY own_account ON public.holds TO sluice_api USING ((account_id = public.session_account()));

CREATE POLICY own_account ON public.idempotency_keys TO sluice_api USING ((account_id = public.session_account()));

CREATE POLICY own_account ON public.invitations TO sluice_api USING ((account_id = public.session_account()));

CREATE POLICY own_account ON public.journal TO sluice_api USING ((account_id = public.session_account()));

CREATE POLICY own_account ON public.ledger_entries TO sluice_api USING ((account_id = public.session_account()));

CREATE POLICY own_account ON public.limit_changes TO sluice_api USING ((account_id = public.session_account()));

CREATE POLICY own_account ON public.mail_codes TO sluice_api USING ((account_id = public.session_account()));

CREATE POLICY own_account ON public.operator_orders TO sluice_api USING ((account_id = public.session_account()));

CREATE POLICY own_account ON public.recovery_codes TO sluice_api USING ((account_id = public.session_account()));

CREATE POLICY own_account ON public.refunds_due TO sluice_api USING ((account_id = public.session_account()));

CREATE POLICY own_account ON public.request_windows TO sluice_api USING ((account_id = public.session_account()));

CREATE POLICY own_account ON public.second_factor_changes TO sluice_api USING ((account_id = public.session_account()));

CREATE POLICY own_account ON public.second_factors TO sluice_api USING ((account_id = public.session_account()));

CREATE POLICY own_account ON public.sessions TO sluice_api USING ((account_id = public.session_account()));

CREATE POLICY own_account ON public.suppressions TO sluice_api USING ((account_id = public.session_account()));

CREATE POLICY own_account ON public.test_queue TO sluice_api USING ((account_id = public.session_account()));

CREATE POLICY own_account ON public.uncharged_mails TO sluice_api USING ((account_id = public.session_account()));

CREATE POLICY own_account ON public.uploads TO sluice_api USING ((account_id = public.session_account()));

CREATE POLICY own_account ON public.user_addresses TO sluice_api USING ((account_id = public.session_account()));

CREATE POLICY own_account ON public.user_devices TO sluice_api USING ((account_id = public.session_account()));

CREATE POLICY own_account ON public.user_request_windows TO sluice_api USING ((account_id = public.session_account()));

CREATE POLICY own_account ON public.users TO sluice_api USING ((account_id = public.session_account()));

CREATE POLICY own_account ON public.webhook_attempts TO sluice_api USING ((account_id = public.session_account()));

CREATE POLICY own_account ON public.webhook_deliveries TO sluice_api USING ((account_id = public.session_account()));

CREATE POLICY own_account ON public.webhook_endpoints TO sluice_api USING ((account_id = public.session_account()));

CREATE POLICY own_account ON public.webhook_events TO sluice_api USING ((account_id = public.session_account()));

ALTER TABLE public.recovery_codes ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.refunds_due ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.request_windows ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.second_factor_changes ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.second_factors ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.sessions ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.suppressions ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.test_queue ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.uncharged_mails ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.uploads ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.user_addresses ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.user_devices ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.user_request_windows ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.users ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.webhook_attempts ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.webhook_deliveries ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.webhook_endpoints ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.webhook_events ENABLE ROW LEVEL SECURITY;

REVOKE ALL ON FUNCTION public.account_limit(p_account bigint, p_name text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.account_limit(p_account bigint, p_name text) TO sluice_app;
GRANT ALL ON FUNCTION public.account_limit(p_account bigint, p_name text) TO sluice_api;

GRANT ALL ON FUNCTION public.adopt_leases(p_node text, p_seconds double precision) TO sluice_app;

GRANT ALL ON FUNCTION public.append_journal(p_node text, p_account bigint[], p_campaign bigint[], p_batch integer[], p_epoch bigint[], p_group bigint[], p_sealed bytea[], p_delivered integer[], p_bounced integer[], p_expired integer[], p_suppressed integer[], p_invalid integer[], p_cancelled integer[], p_in_doubt integer[], p_deferred integer[], p_resent integer[]) TO sluice_app;

GRANT ALL ON FUNCTION public.begin_campaigns(p_account bigint[], p_campaign bigint[]) TO sluice_app;

GRANT ALL ON FUNCTION public.claim_batches(p_node text, p_seconds double precision, p_limit integer, p_waiting bigint[]) TO sluice_app;

GRANT ALL ON FUNCTION public.claim_expired(p_node text, p_seconds double precision, p_limit integer, p_accounts bigint[]) TO sluice_app;

REVOKE ALL ON FUNCTION public.claim_test_batch(p_node text, p_seconds double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION public.claim_test_batch(p_node text, p_seconds double precision) TO sluice_app;

GRANT ALL ON FUNCTION public.claimable_at(p_account bigint, p_campaign bigint, p_expires timestamp with time zone) TO sluice_app;

GRANT ALL ON FUNCTION public.commit_journal(p_node text, p_account bigint[], p_campaign bigint[], p_batch integer[], p_epoch bigint[], p_group bigint[], p_begins boolean[], p_moves boolean[], p_waits boolean[], p_patience integer, p_sealed bytea[], p_delivered integer[], p_bounced integer[], p_expired integer[], p_suppressed integer[], p_invalid integer[], p_cancelled integer[], p_in_doubt integer[], p_deferred integer[], p_resent integer[]) TO sluice_app;

GRANT ALL ON FUNCTION public.commit_told_journal(p_node text, p_account bigint[], p_campaign bigint[], p_batch integer[], p_epoch bigint[], p_group bigint[], p_begins boolean[], p_moves boolean[], p_waits boolean[], p_patience integer, p_sealed bytea[], p_delivered integer[], p_bounced integer[], p_expired integer[], p_suppressed integer[], p_invalid integer[], p_cancelled integer[], p_in_doubt integer[], p_deferred integer[], p_resent integer[], p_told boolean[], p_event_account bigint[], p_event_campaign bigint[], p_event_types bigint[], p_event_count smallint[], p_event_facts bytea[], p_event_private bytea[]) TO sluice_app;

GRANT ALL ON FUNCTION public.enqueue_account(p_account bigint, p_due timestamp with time zone) TO sluice_app;

GRANT ALL ON FUNCTION public.extend_leases(p_node text, p_seconds double precision, p_account bigint[], p_campaign bigint[], p_batch integer[], p_epoch bigint[]) TO sluice_app;

GRANT ALL ON FUNCTION public.free_leases(p_node text) TO sluice_app;

GRANT ALL ON FUNCTION public.give_back(p_node text, p_seconds double precision, p_account bigint[], p_campaign bigint[], p_batch integer[], p_epoch bigint[]) TO sluice_app;

GRANT ALL ON FUNCTION public.heartbeat(p_node text, p_seconds double precision) TO sluice_app;

GRANT ALL ON FUNCTION public.heartbeat(p_node text, p_seconds double precision, p_pools text[]) TO sluice_app;

REVOKE ALL ON FUNCTION public.is_suspended(p_account bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.is_suspended(p_account bigint) TO sluice_app;

REVOKE ALL ON FUNCTION public.isolate_accounts(VARIADIC p_tables regclass[]) FROM PUBLIC;

GRANT ALL ON FUNCTION public.lease_site_tokens(p_site text, p_rate double precision, p_burst double precision, p_wanted integer) TO sluice_app;

REVOKE ALL ON FUNCTION public.ledger_lock(account bigint, campaign bigint, batches integer[], key text, OUT posted bigint, OUT held bigint, OUT credit_limit bigint, OUT entry_count bigint, OUT chain_head bytea, OUT read_at timestamp with time zone, OUT prior_entry bigint, OUT hold_batches integer[], OUT hold_amounts bigint[], OUT hold_open boolean[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.ledger_lock(account bigint, campaign bigint, batches integer[], key text, OUT posted bigint, OUT held bigint, OUT credit_limit bigint, OUT entry_count bigint, OUT chain_head bytea, OUT read_at timestamp with time zone, OUT prior_entry bigint, OUT hold_batches integer[], OUT hold_amounts bigint[], OUT hold_open boolean[]) TO sluice_app;
GRANT ALL ON FUNCTION public.ledger_lock(account bigint, campaign bigint, batches integer[], key text, OUT posted bigint, OUT held bigint, OUT credit_limit bigint, OUT entry_count bigint, OUT chain_head bytea, OUT read_at timestamp with time zone, OUT prior_entry bigint, OUT hold_batches integer[], OUT hold_amounts bigint[], OUT hold_open boolean[]) TO sluice_api;

REVOKE ALL ON FUNCTION public.open_sign_in_window(p_subject bytea, OUT attempts integer, OUT seconds integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.open_sign_in_window(p_subject bytea, OUT attempts integer, OUT seconds integer) TO sluice_app;

REVOKE ALL ON FUNCTION public.open_sign_up_day(p_subject bytea, OUT attempts integer, OUT seconds integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.open_sign_up_day(p_subject bytea, OUT attempts integer, OUT seconds integer) TO sluice_app;

REVOKE ALL ON FUNCTION public.proven_by_others(p_account bigint, p_domains text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.proven_by_others(p_account bigint, p_domains text[]) TO sluice_app;
GRANT ALL ON FUNCTION public.proven_by_others(p_account bigint, p_domains text[]) TO sluice_api;

GRANT ALL ON FUNCTION public.recall_awaiting() TO sluice_app;

GRANT ALL ON FUNCTION public.renew_leases(p_node text, p_seconds double precision, p_account bigint[], p_campaign bigint[], p_batch integer[], p_epoch bigint[]) TO sluice_app;

GRANT ALL ON FUNCTION public.start_campaigns(p_account bigint[], p_campaign bigint[]) TO sluice_app;

GRANT ALL ON FUNCTION public.take_over_leases(p_node text, p_seconds double precision) TO sluice_app;

REVOKE ALL ON FUNCTION public.take_requests(p_account bigint, p_key bigint, p_requests integer, p_limit integer, OUT granted integer, OUT used integer, OUT seconds integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.take_requests(p_account bigint, p_key bigint, p_requests integer, p_limit integer, OUT granted integer, OUT used integer, OUT seconds integer) TO sluice_app;
GRANT ALL ON FUNCTION public.take_requests(p_account bigint, p_key bigint, p_requests integer, p_limit integer, OUT granted integer, OUT used integer, OUT seconds integer) TO sluice_api;

REVOKE ALL ON FUNCTION public.take_sign_in(p_network bytea, p_pair bytea, p_address bytea, p_network_limit integer, p_pair_limit integer, p_address_limit integer, p_wary_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.take_sign_in(p_network bytea, p_pair bytea, p_address bytea, p_network_limit integer, p_pair_limit integer, p_address_limit integer, p_wary_limit integer) TO sluice_app;

REVOKE ALL ON FUNCTION public.take_sign_up(p_network bytea, p_address bytea, p_all bytea, p_network_limit integer, p_address_limit integer, p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.take_sign_up(p_network bytea, p_address bytea, p_all bytea, p_network_limit integer, p_address_limit integer, p_limit integer) TO sluice_app;

REVOKE ALL ON FUNCTION public.users_keep_an_owner() FROM PUBLIC;

GRANT SELECT,INSERT,UPDATE ON TABLE public.account_key_checks TO sluice_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.account_key_checks TO sluice_api;

GRANT SELECT,INSERT,DELETE ON TABLE public.account_limits TO sluice_app;
GRANT SELECT ON TABLE public.account_limits TO sluice_api;

GRANT UPDATE(value) ON TABLE public.account_limits TO sluice_app;

GRANT SELECT ON TABLE public.account_names TO sluice_app;

GRANT INSERT(name) ON TABLE public.account_names TO sluice_app;

GRANT SELECT,INSERT ON TABLE public.account_people TO sluice_app;

GRANT SELECT(account_id),INSERT(account_id) ON TABLE public.account_people TO sluice_api;

GRANT UPDATE(owners) ON TABLE public.account_people TO sluice_app;
GRANT SELECT(owners),INSERT(owners),UPDATE(owners) ON TABLE public.account_people TO sluice_api;

GRANT UPDATE(session_generation) ON TABLE public.account_people TO sluice_app;
GRANT SELECT(session_generation),UPDATE(session_generation) ON TABLE public.account_people TO sluice_api;

GRANT UPDATE(demands_second_factor) ON TABLE public.account_people TO sluice_app;
GRANT SELECT(demands_second_factor),UPDATE(demands_second_factor) ON TABLE public.account_people TO sluice_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.account_queue TO sluice_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.account_queue TO sluice_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.account_refunds TO sluice_app;
GRANT SELECT ON TABLE public.account_refunds TO sluice_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.account_shaping TO sluice_app;
GRANT SELECT ON TABLE public.account_shaping TO sluice_api;

GRANT SELECT ON TABLE public.accounts TO sluice_app;
GRANT SELECT ON TABLE public.accounts TO sluice_api;

GRANT INSERT(account_id) ON TABLE public.accounts TO sluice_app;

GRANT INSERT(name) ON TABLE public.accounts TO sluice_app;

GRANT UPDATE(posted) ON TABLE public.accounts TO sluice_app;
GRANT UPDATE(posted) ON TABLE public.accounts TO sluice_api;

GRANT UPDATE(held) ON TABLE public.accounts TO sluice_app;
GRANT UPDATE(held) ON TABLE public.accounts TO sluice_api;

GRANT INSERT(credit_limit),UPDATE(credit_limit) ON TABLE public.accounts TO sluice_app;

GRANT UPDATE(entry_count) ON TABLE public.accounts TO sluice_app;
GRANT UPDATE(entry_count) ON TABLE public.accounts TO sluice_api;

GRANT UPDATE(chain_head) ON TABLE public.accounts TO sluice_app;
GRANT UPDATE(chain_head) ON TABLE public.accounts TO sluice_api;

GRANT SELECT ON TABLE public.acme_accounts TO sluice_app;

GRANT INSERT(directory) ON TABLE public.acme_accounts TO sluice_app;

GRANT INSERT(sealed_key) ON TABLE public.acme_accounts TO sluice_app;

GRANT UPDATE(url) ON TABLE public.acme_accounts TO sluice_app;

GRANT SELECT,UPDATE ON TABLE public.acme_certificates TO sluice_app;

GRANT INSERT(directory) ON TABLE public.acme_certificates TO sluice_app;

GRANT INSERT(names) ON TABLE public.acme_certificates TO sluice_app;

GRANT SELECT,INSERT,DELETE ON TABLE public.acme_challenges TO sluice_app;

GRANT SELECT ON TABLE public.api_key_hashes TO sluice_app;

GRANT INSERT(key_hash) ON TABLE public.api_key_hashes TO sluice_app;
GRANT INSERT(key_hash) ON TABLE public.api_key_hashes TO sluice_api;

GRANT INSERT(account_id) ON TABLE public.api_key_hashes TO sluice_app;
GRANT SELECT(account_id),INSERT(account_id) ON TABLE public.api_key_hashes TO sluice_api;

GRANT SELECT(key_id) ON TABLE public.api_key_hashes TO sluice_api;

GRANT SELECT ON TABLE public.api_keys TO sluice_app;
GRANT SELECT ON TABLE public.api_keys TO sluice_api;

GRANT INSERT(account_id) ON TABLE public.api_keys TO sluice_app;
GRANT INSERT(account_id) ON TABLE public.api_keys TO sluice_api;

GRANT INSERT(key_id) ON TABLE public.api_keys TO sluice_app;
GRANT INSERT(key_id) ON TABLE public.api_keys TO sluice_api;

GRANT INSERT(name) ON TABLE public.api_keys TO sluice_app;
GRANT INSERT(name) ON TABLE public.api_keys TO sluice_api;

GRANT INSERT(mode) ON TABLE public.api_keys TO sluice_app;
GRANT INSERT(mode) ON TABLE public.api_keys TO sluice_api;

GRANT INSERT(display_prefix) ON TABLE public.api_keys TO sluice_app;
GRANT INSERT(display_prefix) ON TABLE public.api_keys TO sluice_api;

GRANT UPDATE(last_used_at) ON TABLE public.api_keys TO sluice_app;

GRANT UPDATE(revoked_at) ON TABLE public.api_keys TO sluice_app;
GRANT UPDATE(revoked_at) ON TABLE public.api_keys TO sluice_api;

GRANT INSERT(scopes) ON TABLE public.api_keys TO sluice_app;
GRANT INSERT(scopes) ON TABLE public.api_keys TO sluice_api;

GRANT INSERT(networks) ON TABLE public.api_keys TO sluice_app;
GRANT INSERT(networks) ON TABLE public.api_keys TO sluice_api;

GRANT INSERT(expires_at) ON TABLE public.api_keys TO sluice_app;
GRANT INSERT(expires_at) ON TABLE public.api_keys TO sluice_api;

GRANT INSERT(requests_per_minute),UPDATE(requests_per_minute) ON TABLE public.api_keys TO sluice_app;
GRANT INSERT(requests_per_minute) ON TABLE public.api_keys TO sluice_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.batch_recipients TO sluice_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.batch_recipients TO sluice_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.batch_results TO sluice_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.batch_results TO sluice_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.batches TO sluice_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.batches TO sluice_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.campaign_answers TO sluice_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.campaign_answers TO sluice_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.campaign_blocks TO sluice_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.campaign_blocks TO sluice_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.campaign_brakes TO sluice_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.campaign_brakes TO sluice_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.campaign_content TO sluice_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.campaign_content TO sluice_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.campaign_paces TO sluice_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.campaign_paces TO sluice_api;

GRANT SELECT,INSERT,UPDATE ON TABLE public.campaign_reasons TO sluice_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.campaign_reasons TO sluice_api;

GRANT SELECT,INSERT,UPDATE ON TABLE public.campaigns TO sluice_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.campaigns TO sluice_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.dead_addresses TO sluice_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.dead_addresses TO sluice_api;

GRANT SELECT,INSERT,DELETE ON TABLE public.domain_findings TO sluice_app;
GRANT SELECT,INSERT,DELETE ON TABLE public.domain_findings TO sluice_api;

GRANT SELECT,INSERT,DELETE ON TABLE public.domain_keys TO sluice_app;
GRANT SELECT,INSERT,DELETE ON TABLE public.domain_keys TO sluice_api;

GRANT UPDATE(role) ON TABLE public.domain_keys TO sluice_app;
GRANT UPDATE(role) ON TABLE public.domain_keys TO sluice_api;

GRANT UPDATE(retired_at) ON TABLE public.domain_keys TO sluice_app;
GRANT UPDATE(retired_at) ON TABLE public.domain_keys TO sluice_api;

GRANT SELECT,INSERT,DELETE ON TABLE public.domain_owners TO sluice_app;
GRANT SELECT,INSERT,DELETE ON TABLE public.domain_owners TO sluice_api;

GRANT SELECT,INSERT,DELETE ON TABLE public.domain_reports TO sluice_app;
GRANT SELECT ON TABLE public.domain_reports TO sluice_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.domains TO sluice_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.domains TO sluice_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.feedback_by_provider TO sluice_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.feedback_by_provider TO sluice_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.feedback_facts TO sluice_app;
GRANT SELECT,INSERT ON TABLE public.feedback_facts TO sluice_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.feedback_hours TO sluice_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.feedback_hours TO sluice_api;

GRANT SELECT ON TABLE public.holds TO sluice_app;
GRANT SELECT ON TABLE public.holds TO sluice_api;

GRANT INSERT(account_id) ON TABLE public.holds TO sluice_app;
GRANT INSERT(account_id) ON TABLE public.holds TO sluice_api;

GRANT INSERT(campaign_id) ON TABLE public.holds TO sluice_app;
GRANT INSERT(campaign_id) ON TABLE public.holds TO sluice_api;

GRANT INSERT(batch_no) ON TABLE public.holds TO sluice_app;
GRANT INSERT(batch_no) ON TABLE public.holds TO sluice_api;

GRANT INSERT(amount) ON TABLE public.holds TO sluice_app;
GRANT INSERT(amount) ON TABLE public.holds TO sluice_api;

GRANT UPDATE(state) ON TABLE public.holds TO sluice_app;
GRANT UPDATE(state) ON TABLE public.holds TO sluice_api;

GRANT UPDATE(charged) ON TABLE public.holds TO sluice_app;
GRANT UPDATE(charged) ON TABLE public.holds TO sluice_api;

GRANT UPDATE(released) ON TABLE public.holds TO sluice_app;
GRANT UPDATE(released) ON TABLE public.holds TO sluice_api;

GRANT UPDATE(carried) ON TABLE public.holds TO sluice_app;
GRANT UPDATE(carried) ON TABLE public.holds TO sluice_api;

GRANT UPDATE(resolved_at) ON TABLE public.holds TO sluice_app;
GRANT UPDATE(resolved_at) ON TABLE public.holds TO sluice_api;

GRANT SELECT,INSERT,DELETE ON TABLE public.idempotency_keys TO sluice_app;
GRANT SELECT,INSERT ON TABLE public.idempotency_keys TO sluice_api;

GRANT UPDATE(status) ON TABLE public.idempotency_keys TO sluice_app;
GRANT UPDATE(status) ON TABLE public.idempotency_keys TO sluice_api;

GRANT UPDATE(content_type) ON TABLE public.idempotency_keys TO sluice_app;
GRANT UPDATE(content_type) ON TABLE public.idempotency_keys TO sluice_api;

GRANT UPDATE(body) ON TABLE public.idempotency_keys TO sluice_app;
GRANT UPDATE(body) ON TABLE public.idempotency_keys TO sluice_api;

GRANT SELECT,INSERT,DELETE ON TABLE public.installation_suppressions TO sluice_app;
GRANT SELECT ON TABLE public.installation_suppressions TO sluice_api;

GRANT UPDATE(reason) ON TABLE public.installation_suppressions TO sluice_app;

GRANT UPDATE(origin) ON TABLE public.installation_suppressions TO sluice_app;

GRANT UPDATE(note) ON TABLE public.installation_suppressions TO sluice_app;

GRANT UPDATE(sealed) ON TABLE public.installation_suppressions TO sluice_app;

GRANT SELECT,DELETE ON TABLE public.invitations TO sluice_app;

GRANT INSERT(account_id) ON TABLE public.invitations TO sluice_app;
GRANT SELECT(account_id),INSERT(account_id) ON TABLE public.invitations TO sluice_api;

GRANT SELECT(invitation_id) ON TABLE public.invitations TO sluice_api;

GRANT INSERT(address) ON TABLE public.invitations TO sluice_app;
GRANT SELECT(address),INSERT(address) ON TABLE public.invitations TO sluice_api;

GRANT INSERT(role) ON TABLE public.invitations TO sluice_app;
GRANT SELECT(role),INSERT(role) ON TABLE public.invitations TO sluice_api;

GRANT INSERT(inviter_id) ON TABLE public.invitations TO sluice_app;
GRANT SELECT(inviter_id),INSERT(inviter_id) ON TABLE public.invitations TO sluice_api;

GRANT INSERT(secret_hash),UPDATE(secret_hash) ON TABLE public.invitations TO sluice_app;

GRANT SELECT(created_at) ON TABLE public.invitations TO sluice_api;

GRANT INSERT(expires_at) ON TABLE public.invitations TO sluice_app;
GRANT SELECT(expires_at),INSERT(expires_at) ON TABLE public.invitations TO sluice_api;

GRANT INSERT(mail_due_at),UPDATE(mail_due_at) ON TABLE public.invitations TO sluice_app;
GRANT INSERT(mail_due_at),UPDATE(mail_due_at) ON TABLE public.invitations TO sluice_api;

GRANT UPDATE(mailed_at) ON TABLE public.invitations TO sluice_app;
GRANT SELECT(mailed_at) ON TABLE public.invitations TO sluice_api;

GRANT UPDATE(accepted_at) ON TABLE public.invitations TO sluice_app;
GRANT SELECT(accepted_at) ON TABLE public.invitations TO sluice_api;

GRANT UPDATE(revoked_at) ON TABLE public.invitations TO sluice_app;
GRANT SELECT(revoked_at),UPDATE(revoked_at) ON TABLE public.invitations TO sluice_api;

GRANT SELECT,INSERT,DELETE ON TABLE public.journal TO sluice_app;
GRANT SELECT,INSERT,DELETE ON TABLE public.journal TO sluice_api;

GRANT USAGE ON SEQUENCE public.journal_seq_seq TO sluice_app;
GRANT USAGE ON SEQUENCE public.journal_seq_seq TO sluice_api;

GRANT SELECT,INSERT ON TABLE public.ledger_entries TO sluice_app;
GRANT SELECT,INSERT ON TABLE public.ledger_entries TO sluice_api;

GRANT SELECT,INSERT ON TABLE public.limit_changes TO sluice_app;

GRANT SELECT,DELETE ON TABLE public.mail_codes TO sluice_app;

GRANT INSERT(browser_hash) ON TABLE public.mail_codes TO sluice_app;

GRANT INSERT(purpose) ON TABLE public.mail_codes TO sluice_app;

GRANT INSERT(account_id) ON TABLE public.mail_codes TO sluice_app;

GRANT INSERT(user_id) ON TABLE public.mail_codes TO sluice_app;

GRANT INSERT(user_generation) ON TABLE public.mail_codes TO sluice_app;

GRANT UPDATE(code_hash) ON TABLE public.mail_codes TO sluice_app;

GRANT UPDATE(attempts) ON TABLE public.mail_codes TO sluice_app;

GRANT INSERT(expires_at) ON TABLE public.mail_codes TO sluice_app;

GRANT INSERT(mail_due_at),UPDATE(mail_due_at) ON TABLE public.mail_codes TO sluice_app;

GRANT UPDATE(used_at) ON TABLE public.mail_codes TO sluice_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.mta_sts_policies TO sluice_app;

GRANT SELECT,INSERT,DELETE ON TABLE public.node_sources TO sluice_app;
GRANT SELECT ON TABLE public.node_sources TO sluice_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.nodes TO sluice_app;
GRANT SELECT ON TABLE public.nodes TO sluice_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.operator_orders TO sluice_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.provider_payloads TO sluice_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.provider_rests TO sluice_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.provider_sources TO sluice_app;

GRANT SELECT,DELETE ON TABLE public.recovery_codes TO sluice_app;

GRANT INSERT(account_id) ON TABLE public.recovery_codes TO sluice_app;

GRANT INSERT(user_id) ON TABLE public.recovery_codes TO sluice_app;

GRANT INSERT(code_hash) ON TABLE public.recovery_codes TO sluice_app;

GRANT UPDATE(used_at) ON TABLE public.recovery_codes TO sluice_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.refunds_due TO sluice_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.refunds_due TO sluice_api;

GRANT SELECT,INSERT,UPDATE ON TABLE public.request_windows TO sluice_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.request_windows TO sluice_api;

GRANT SELECT,DELETE ON TABLE public.second_factor_changes TO sluice_app;

GRANT INSERT(account_id) ON TABLE public.second_factor_changes TO sluice_app;

GRANT INSERT(user_id) ON TABLE public.second_factor_changes TO sluice_app;

GRANT INSERT(change) ON TABLE public.second_factor_changes TO sluice_app;

GRANT INSERT(reason) ON TABLE public.second_factor_changes TO sluice_app;

GRANT SELECT,DELETE ON TABLE public.second_factors TO sluice_app;

GRANT INSERT(account_id) ON TABLE public.second_factors TO sluice_app;
GRANT SELECT(account_id) ON TABLE public.second_factors TO sluice_api;

GRANT INSERT(user_id) ON TABLE public.second_factors TO sluice_app;
GRANT SELECT(user_id) ON TABLE public.second_factors TO sluice_api;

GRANT INSERT(sealed),UPDATE(sealed) ON TABLE public.second_factors TO sluice_app;

GRANT UPDATE(begun_at) ON TABLE public.second_factors TO sluice_app;

GRANT UPDATE(confirmed_at) ON TABLE public.second_factors TO sluice_app;
GRANT SELECT(confirmed_at) ON TABLE public.second_factors TO sluice_api;

GRANT UPDATE(last_step) ON TABLE public.second_factors TO sluice_app;

GRANT UPDATE(attempts) ON TABLE public.second_factors TO sluice_app;

GRANT UPDATE(attempts_since) ON TABLE public.second_factors TO sluice_app;

GRANT SELECT,DELETE ON TABLE public.session_keys TO sluice_app;

GRANT INSERT(key_id) ON TABLE public.session_keys TO sluice_app;

GRANT INSERT(sealed) ON TABLE public.session_keys TO sluice_app;

GRANT SELECT,DELETE ON TABLE public.sessions TO sluice_app;

GRANT INSERT(account_id) ON TABLE public.sessions TO sluice_app;
GRANT SELECT(account_id) ON TABLE public.sessions TO sluice_api;

GRANT SELECT(session_id) ON TABLE public.sessions TO sluice_api;

GRANT INSERT(user_id) ON TABLE public.sessions TO sluice_app;
GRANT SELECT(user_id) ON TABLE public.sessions TO sluice_api;

GRANT INSERT(refresh_hash) ON TABLE public.sessions TO sluice_app;

GRANT INSERT(user_generation) ON TABLE public.sessions TO sluice_app;
GRANT SELECT(user_generation) ON TABLE public.sessions TO sluice_api;

GRANT INSERT(account_generation) ON TABLE public.sessions TO sluice_app;
GRANT SELECT(account_generation) ON TABLE public.sessions TO sluice_api;

GRANT SELECT(created_at) ON TABLE public.sessions TO sluice_api;

GRANT UPDATE(last_seen_at) ON TABLE public.sessions TO sluice_app;
GRANT SELECT(last_seen_at),UPDATE(last_seen_at) ON TABLE public.sessions TO sluice_api;

GRANT INSERT(expires_at) ON TABLE public.sessions TO sluice_app;
GRANT SELECT(expires_at) ON TABLE public.sessions TO sluice_api;

GRANT UPDATE(revoked_at) ON TABLE public.sessions TO sluice_app;
GRANT SELECT(revoked_at),UPDATE(revoked_at) ON TABLE public.sessions TO sluice_api;

GRANT INSERT(client) ON TABLE public.sessions TO sluice_app;
GRANT SELECT(client) ON TABLE public.sessions TO sluice_api;

GRANT INSERT(network) ON TABLE public.sessions TO sluice_app;
GRANT SELECT(network) ON TABLE public.sessions TO sluice_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.sign_in_attempts TO sluice_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.sign_up_attempts TO sluice_app;

GRANT SELECT,DELETE ON TABLE public.sign_ups TO sluice_app;

GRANT INSERT(browser_hash) ON TABLE public.sign_ups TO sluice_app;

GRANT INSERT(address) ON TABLE public.sign_ups TO sluice_app;

GRANT INSERT(account_name) ON TABLE public.sign_ups TO sluice_app;

GRANT INSERT(password_hash) ON TABLE public.sign_ups TO sluice_app;

GRANT UPDATE(code_hash) ON TABLE public.sign_ups TO sluice_app;

GRANT UPDATE(attempts) ON TABLE public.sign_ups TO sluice_app;

GRANT INSERT(expires_at) ON TABLE public.sign_ups TO sluice_app;

GRANT INSERT(mail_due_at),UPDATE(mail_due_at) ON TABLE public.sign_ups TO sluice_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.site_tokens TO sluice_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.source_usage TO sluice_app;

GRANT SELECT,DELETE ON TABLE public.suppressions TO sluice_app;
GRANT SELECT,INSERT,DELETE ON TABLE public.suppressions TO sluice_api;

GRANT INSERT(account_id) ON TABLE public.suppressions TO sluice_app;

GRANT INSERT(fingerprint) ON TABLE public.suppressions TO sluice_app;

GRANT INSERT(reason),UPDATE(reason) ON TABLE public.suppressions TO sluice_app;
GRANT UPDATE(reason) ON TABLE public.suppressions TO sluice_api;

GRANT INSERT(origin),UPDATE(origin) ON TABLE public.suppressions TO sluice_app;
GRANT UPDATE(origin) ON TABLE public.suppressions TO sluice_api;

GRANT INSERT(note),UPDATE(note) ON TABLE public.suppressions TO sluice_app;
GRANT UPDATE(note) ON TABLE public.suppressions TO sluice_api;

GRANT INSERT(created_at) ON TABLE public.suppressions TO sluice_app;

GRANT INSERT(sealed),UPDATE(sealed) ON TABLE public.suppressions TO sluice_app;
GRANT UPDATE(sealed) ON TABLE public.suppressions TO sluice_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.test_queue TO sluice_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.test_queue TO sluice_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.tls_reports TO sluice_app;

GRANT SELECT,INSERT,DELETE ON TABLE public.uncharged_mails TO sluice_app;
GRANT SELECT,INSERT,DELETE ON TABLE public.uncharged_mails TO sluice_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.uploads TO sluice_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.uploads TO sluice_api;

GRANT SELECT,DELETE ON TABLE public.user_addresses TO sluice_app;
GRANT DELETE ON TABLE public.user_addresses TO sluice_api;

GRANT INSERT(address) ON TABLE public.user_addresses TO sluice_app;
GRANT SELECT(address) ON TABLE public.user_addresses TO sluice_api;

GRANT INSERT(account_id) ON TABLE public.user_addresses TO sluice_app;
GRANT SELECT(account_id) ON TABLE public.user_addresses TO sluice_api;

GRANT SELECT(user_id) ON TABLE public.user_addresses TO sluice_api;

GRANT SELECT,DELETE ON TABLE public.user_devices TO sluice_app;

GRANT INSERT(account_id) ON TABLE public.user_devices TO sluice_app;

GRANT INSERT(user_id) ON TABLE public.user_devices TO sluice_app;

GRANT INSERT(device_hash) ON TABLE public.user_devices TO sluice_app;

GRANT INSERT(user_generation) ON TABLE public.user_devices TO sluice_app;

GRANT SELECT,INSERT,UPDATE ON TABLE public.user_request_windows TO sluice_app;

GRANT SELECT,DELETE ON TABLE public.users TO sluice_app;
GRANT DELETE ON TABLE public.users TO sluice_api;

GRANT INSERT(account_id) ON TABLE public.users TO sluice_app;
GRANT SELECT(account_id) ON TABLE public.users TO sluice_api;

GRANT INSERT(user_id) ON TABLE public.users TO sluice_app;
GRANT SELECT(user_id) ON TABLE public.users TO sluice_api;

GRANT INSERT(address) ON TABLE public.users TO sluice_app;
GRANT SELECT(address) ON TABLE public.users TO sluice_api;

GRANT INSERT(role),UPDATE(role) ON TABLE public.users TO sluice_app;
GRANT SELECT(role),UPDATE(role) ON TABLE public.users TO sluice_api;

GRANT INSERT(password_hash),UPDATE(password_hash) ON TABLE public.users TO sluice_app;

GRANT UPDATE(generation) ON TABLE public.users TO sluice_app;
GRANT SELECT(generation),UPDATE(generation) ON TABLE public.users TO sluice_api;

GRANT SELECT(created_at) ON TABLE public.users TO sluice_api;

GRANT UPDATE(last_sign_in_at) ON TABLE public.users TO sluice_app;
GRANT SELECT(last_sign_in_at),UPDATE(last_sign_in_at) ON TABLE public.users TO sluice_api;

GRANT INSERT(name) ON TABLE public.users TO sluice_app;
GRANT SELECT(name) ON TABLE public.users TO sluice_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.webhook_attempts TO sluice_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.webhook_attempts TO sluice_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.webhook_deliveries TO sluice_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.webhook_deliveries TO sluice_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.webhook_endpoints TO sluice_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.webhook_endpoints TO sluice_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.webhook_events TO sluice_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.webhook_events TO sluice_api;

-- The vault

CREATE FUNCTION public.refuse_key_revival() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'a campaign key changes only by being destroyed';
END $$;

CREATE TABLE public.account_keys (
    account_id bigint NOT NULL,
    wrapped bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.campaign_keys (
    account_id bigint NOT NULL,
    campaign_id bigint NOT NULL,
    wrapped bytea,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    destroyed_at timestamp with time zone,
    CONSTRAINT campaign_keys_check CHECK (((wrapped IS NULL) = (destroyed_at IS NOT NULL)))
)
WITH (autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='0');

CREATE TABLE public.schema_migrations (
    version bigint NOT NULL,
    name text NOT NULL,
    checksum bytea NOT NULL,
    applied_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

CREATE TABLE public.vault_check (
    only_row smallint DEFAULT 1 NOT NULL,
    sealed bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT vault_check_only_row_check CHECK ((only_row = 1))
);

ALTER TABLE ONLY public.account_keys
    ADD CONSTRAINT account_keys_pkey PRIMARY KEY (account_id);

ALTER TABLE ONLY public.campaign_keys
    ADD CONSTRAINT campaign_keys_pkey PRIMARY KEY (account_id, campaign_id);

ALTER TABLE ONLY public.schema_migrations
    ADD CONSTRAINT schema_migrations_pkey PRIMARY KEY (version);

ALTER TABLE ONLY public.vault_check
    ADD CONSTRAINT vault_check_pkey PRIMARY KEY (only_row);

CREATE TRIGGER campaign_keys_only_destroyed BEFORE UPDATE ON public.campaign_keys FOR EACH ROW WHEN (((new.wrapped IS NOT NULL) OR (old.wrapped IS NULL))) EXECUTE FUNCTION public.refuse_key_revival();

GRANT SELECT,INSERT ON TABLE public.account_keys TO sluice_app;

GRANT SELECT,INSERT ON TABLE public.campaign_keys TO sluice_app;

GRANT UPDATE(wrapped) ON TABLE public.campaign_keys TO sluice_app;

GRANT UPDATE(destroyed_at) ON TABLE public.campaign_keys TO sluice_app;

GRANT SELECT,INSERT ON TABLE public.vault_check TO sluice_app;
