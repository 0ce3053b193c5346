-- Names the process that has the node's name, or had it last, as its own files name it.
ALTER TABLE nodes ADD COLUMN life text NOT NULL DEFAULT '';

-- Takes back for a node what its earlier life had leased and nobody has claimed since.
CREATE FUNCTION adopt_leases(p_node text, p_seconds double precision)
RETURNS TABLE (account_id bigint, campaign_id bigint, batch_no integer, epoch bigint)
LANGUAGE sql SET enable_seqscan = off AS $$
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
DROP FUNCTION adopt_leases(text, double precision, bigint[], bigint[], integer[], bigint[]);

-- As before, and the batches are nobody's then: the life after the next must not take them for its own.
CREATE OR REPLACE FUNCTION free_leases(p_node text) RETURNS void LANGUAGE sql SET enable_seqscan = off AS $$
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

GRANT EXECUTE ON FUNCTION adopt_leases(text, double precision) TO sluice_app;
