-- The number under which the batch's credits are held, where that is not its own: of its part that was settled
-- last. What is left of the batch carries them on.
ALTER TABLE batches ADD COLUMN hold_no integer;

-- Leases batches of expired campaigns to a node, for accounts that get nothing else now because they have reached
-- the cap of their rate: what is not sent by then has to end.
CREATE FUNCTION claim_expired(
    p_node text, p_seconds double precision, p_limit integer, p_accounts bigint[])
RETURNS TABLE (
    account_id bigint, campaign_id bigint, batch_no integer, epoch bigint, state smallint, attempt integer)
LANGUAGE sql SET enable_seqscan = off AS $$
    WITH picked AS (
        SELECT b.account_id, b.campaign_id, b.batch_no
        FROM campaigns c
        JOIN batches b ON b.account_id = c.account_id AND b.campaign_id = c.campaign_id
        WHERE c.account_id = ANY (p_accounts) AND c.purged_at IS NULL
            AND c.state IN ('scheduled', 'queued', 'sending') AND c.expires_at <= clock_timestamp()
            AND b.state IN (1, 4) AND b.due_at <= clock_timestamp()
            AND (b.lease_until IS NULL OR b.lease_until <= clock_timestamp())
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
GRANT EXECUTE ON FUNCTION claim_expired(text, double precision, integer, bigint[]) TO sluice_app;
