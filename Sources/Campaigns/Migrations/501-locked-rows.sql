-- The first claim of a campaign's batch starts it. Returns the places of batches that must not be worked on now:
-- somebody holds their campaign's row, so that it could not be started, or it was paused meanwhile. A transaction of
-- its own, after the claim: campaigns rows come before batches rows in the order of locks.
CREATE FUNCTION begin_campaigns(p_account bigint[], p_campaign bigint[]) RETURNS TABLE (place integer)
LANGUAGE plpgsql AS $$
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

-- Gives batches back whose work has not begun. Where somebody holds the row, the lease runs out instead.
CREATE FUNCTION give_back(
    p_node text, p_seconds double precision, p_account bigint[], p_campaign bigint[], p_batch integer[],
    p_epoch bigint[])
RETURNS void LANGUAGE sql SET enable_seqscan = off AS $$
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

GRANT EXECUTE ON FUNCTION
    begin_campaigns(bigint[], bigint[]),
    give_back(text, double precision, bigint[], bigint[], integer[], bigint[])
TO sluice_app;
