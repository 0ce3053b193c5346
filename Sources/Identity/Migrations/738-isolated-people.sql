-- See 730. Who signs in, and whose a session is, is looked up before the account is known, by sessions of sluice_app.
-- Operators are of account 0, which no session of sluice_api names.
SELECT isolate_accounts('user_addresses', 'users', 'account_people', 'sessions');

-- What outlives a request makes sure that the session of who asks goes on, and locks its rows, which takes the right to
-- change one column of each. Addresses, passwords and refresh secrets are not to be seen.
GRANT SELECT (account_id, user_id, role, generation), UPDATE (last_sign_in_at) ON users TO sluice_api;
GRANT SELECT (account_id, session_generation), UPDATE (owners) ON account_people TO sluice_api;
GRANT SELECT (account_id, session_id, user_id, user_generation, account_generation, last_seen_at, expires_at, revoked_at),
    UPDATE (last_seen_at) ON sessions TO sluice_api;
