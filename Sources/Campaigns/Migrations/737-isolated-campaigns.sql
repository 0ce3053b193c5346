-- See 730. In the order in which others lock these tables.
SELECT isolate_accounts(
    'campaigns', 'batches', 'account_queue', 'account_refunds', 'batch_recipients', 'batch_results', 'campaign_answers',
    'campaign_blocks', 'campaign_brakes', 'campaign_content', 'campaign_paces', 'campaign_reasons', 'journal',
    'operator_orders', 'refunds_due', 'uncharged_mails', 'uploads');

GRANT SELECT, INSERT, UPDATE ON campaigns, campaign_reasons TO sluice_api;
GRANT SELECT, INSERT, DELETE, UPDATE
    ON batches, account_queue, batch_recipients, batch_results, campaign_answers, campaign_blocks, campaign_brakes,
    campaign_content, campaign_paces, refunds_due, uploads TO sluice_api;
GRANT SELECT, INSERT, DELETE ON journal, uncharged_mails TO sluice_api;
GRANT USAGE ON SEQUENCE journal_seq_seq TO sluice_api;
GRANT SELECT ON account_refunds TO sluice_api;

-- The vault stands below the ledger, which has the function. Every upload asks the installation's own list, whose key has the
-- number 0 and is checked before it is used.
SELECT isolate_accounts('account_key_checks');
CREATE POLICY installation ON account_key_checks FOR SELECT TO sluice_api USING (account_id = 0);
GRANT SELECT, INSERT, UPDATE ON account_key_checks TO sluice_api;
