-- See 730. Every upload asks the installation's own list, whose key has the number 0 and is checked before it is used.
SELECT isolate_accounts('account_key_checks');
CREATE POLICY installation ON account_key_checks FOR SELECT TO sluice_api USING (account_id = 0);

GRANT SELECT, INSERT, UPDATE ON account_key_checks TO sluice_api;
