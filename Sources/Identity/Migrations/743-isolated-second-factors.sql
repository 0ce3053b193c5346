-- See 730. Second factors are asked for and requests of people counted where sessions are looked up, by sessions of
-- sluice_app; those of sluice_api may do nothing with them.
SELECT isolate_accounts('second_factors', 'recovery_codes', 'second_factor_changes', 'user_request_windows');
