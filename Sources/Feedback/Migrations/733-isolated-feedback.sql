-- See 730. The installation's list is the operator's and holds for all accounts.
SELECT isolate_accounts('suppressions', 'dead_addresses', 'feedback_facts', 'feedback_hours', 'feedback_by_provider');

GRANT SELECT, INSERT, DELETE, UPDATE (reason, origin, note, sealed) ON suppressions TO sluice_api;
GRANT SELECT ON installation_suppressions TO sluice_api;
GRANT SELECT, INSERT, DELETE, UPDATE ON dead_addresses TO sluice_api;
GRANT SELECT, INSERT ON feedback_facts TO sluice_api;
GRANT SELECT, INSERT, DELETE, UPDATE ON feedback_hours, feedback_by_provider TO sluice_api;
