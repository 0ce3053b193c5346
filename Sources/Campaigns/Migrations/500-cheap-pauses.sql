CREATE INDEX batches_at_work ON batches (account_id, campaign_id, batch_no) WHERE lease_node IS NOT NULL;
CREATE INDEX batches_paused ON batches (account_id, campaign_id, batch_no) WHERE state = 2;

-- When is something due again? Nothing of a paused campaign is, though its batches are open.
DO $$
BEGIN
    EXECUTE replace(
        pg_get_functiondef('claim_batches(text, double precision, integer, bigint[])'::regprocedure),
        'WHERE c.account_id = v_accounts[place] AND c.purged_at IS NULL AND c.results_until IS NULL;',
        'WHERE c.account_id = v_accounts[place] AND c.purged_at IS NULL AND c.results_until IS NULL
                    AND c.state <> ''paused'';');
END $$;
