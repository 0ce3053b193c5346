-- See 730. Which nodes and sources there are is told to accounts: they choose among pools and publish addresses.
SELECT isolate_accounts('account_shaping');

GRANT SELECT ON account_shaping, nodes, node_sources TO sluice_api;
