-- See 730. Nodes read the limits of all accounts; sessions of sluice_api read none.
SELECT isolate_accounts('account_limits');
