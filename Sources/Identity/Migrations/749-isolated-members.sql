-- See 730. Secrets are made and looked up by sessions of sluice_app.
SELECT isolate_accounts('invitations', 'mail_codes', 'user_devices');

GRANT SELECT (account_id, invitation_id, address, role, inviter_id, created_at, expires_at, mailed_at, accepted_at, revoked_at),
    INSERT (account_id, address, role, inviter_id, expires_at, mail_due_at), UPDATE (revoked_at, mail_due_at)
    ON invitations TO sluice_api;

-- An account's people see each other, and those who may change roles and remove people. Passwords, and whether somebody signs in
-- with an address elsewhere, are not to be seen.
GRANT SELECT (address, name, created_at, last_sign_in_at), UPDATE (role), DELETE ON users TO sluice_api;
GRANT SELECT (address, account_id, user_id), DELETE ON user_addresses TO sluice_api;
-- The trigger that keeps an owner counts them here.
GRANT SELECT (owners), INSERT (account_id, owners) ON account_people TO sluice_api;
