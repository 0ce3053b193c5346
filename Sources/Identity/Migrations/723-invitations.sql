-- What people are called, where they have said so.
ALTER TABLE users ADD COLUMN name text CHECK (char_length(name) BETWEEN 1 AND 100);
GRANT INSERT (name) ON users TO sluice_app;

-- Who is asked to join an account. Whoever shows the secret of the mail becomes a user, once.
CREATE TABLE invitations (
    account_id bigint NOT NULL REFERENCES accounts,
    invitation_id bigint GENERATED ALWAYS AS IDENTITY,
    address text NOT NULL CHECK (octet_length(address) <= 320),
    role text NOT NULL CHECK (role IN ('viewer', 'member', 'manager', 'admin', 'owner')),
    -- Null: an operator. An invitation goes with who has written it.
    inviter_id bigint,
    -- SHA-256. Null until the mail is made, which is when the secret is.
    secret_hash bytea CHECK (octet_length(secret_hash) = 32),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    -- When a node may make its mail next; null where there is none to make.
    mail_due_at timestamptz,
    mailed_at timestamptz,
    accepted_at timestamptz,
    revoked_at timestamptz,
    PRIMARY KEY (account_id, invitation_id),
    FOREIGN KEY (account_id, inviter_id) REFERENCES users ON DELETE CASCADE
);
CREATE INDEX invitations_inviter ON invitations (account_id, inviter_id);
CREATE INDEX invitations_secret ON invitations (secret_hash) WHERE secret_hash IS NOT NULL;
CREATE INDEX invitations_mail ON invitations (mail_due_at) WHERE mail_due_at IS NOT NULL;
CREATE INDEX invitations_age ON invitations (created_at);

REVOKE ALL ON invitations FROM PUBLIC, sluice_app;
GRANT SELECT, INSERT (account_id, address, role, inviter_id, secret_hash, expires_at, mail_due_at),
    UPDATE (secret_hash, mail_due_at, mailed_at, accepted_at, revoked_at), DELETE ON invitations TO sluice_app;
