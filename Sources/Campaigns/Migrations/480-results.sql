-- Set when all is settled where outcomes are kept: until then they can be read, then the purge is due.
ALTER TABLE campaigns ADD COLUMN results_until timestamptz;
-- From the end to that moment, as the operator had set it when the campaign was made.
ALTER TABLE campaigns ADD COLUMN results_seconds integer NOT NULL DEFAULT 0;
CREATE INDEX campaigns_ended ON campaigns (results_until)
    WHERE purged_at IS NULL AND results_until IS NOT NULL;
DROP INDEX campaigns_unfinished;
CREATE INDEX campaigns_unfinished ON campaigns (account_id, campaign_id)
    WHERE purged_at IS NULL AND results_until IS NULL;
-- There is nothing to claim of campaigns that have ended, and an account may have many of them.
DO $$
DECLARE
    v_function regproc;
BEGIN
    FOREACH v_function IN ARRAY ARRAY['claim_batches', 'claim_expired']::regproc[] LOOP
        EXECUTE replace(
            pg_get_functiondef(v_function), 'c.purged_at IS NULL',
            'c.purged_at IS NULL AND c.results_until IS NULL');
    END LOOP;
END $$;
