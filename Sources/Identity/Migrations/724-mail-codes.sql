-- Codes that people are mailed, to choose a new password or to sign in with a new device. A row is found by the secret of the
-- browser that has asked. One without a user is of an address that nobody has, and takes guesses like any other.
CREATE TABLE mail_codes (
    browser_hash bytea PRIMARY KEY CHECK (octet_length(browser_hash) = 32),
    purpose text NOT NULL CHECK (purpose IN ('password', 'device')),
    account_id bigint,
    user_id bigint,
    -- Of the user when the code was asked for: one of an earlier generation is over.
    user_generation bigint,
    -- Keyed, for six digits are guessed from any plain hash. Null until the mail is made, which is when the code is.
    code_hash bytea CHECK (octet_length(code_hash) = 32),
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    -- When a node may make its mail next; null where there is none to make.
    mail_due_at timestamptz,
    used_at timestamptz,
    CONSTRAINT mail_codes_user CHECK (
        (account_id IS NULL) = (user_id IS NULL) AND (account_id IS NULL) = (user_generation IS NULL)),
    FOREIGN KEY (account_id, user_id) REFERENCES users ON DELETE CASCADE
) WITH (fillfactor = 70);
CREATE INDEX mail_codes_of_user ON mail_codes (account_id, user_id);
CREATE INDEX mail_codes_mail ON mail_codes (mail_due_at) WHERE mail_due_at IS NOT NULL;
CREATE INDEX mail_codes_age ON mail_codes (created_at);

-- Browsers that somebody has signed in with by a code.
CREATE TABLE user_devices (
    account_id bigint NOT NULL,
    user_id bigint NOT NULL,
    -- SHA-256 of the secret in the browser.
    device_hash bytea NOT NULL CHECK (octet_length(device_hash) = 32),
    -- Of the user then: a new password makes all devices new.
    user_generation bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, user_id, device_hash),
    FOREIGN KEY (account_id, user_id) REFERENCES users ON DELETE CASCADE
);
CREATE INDEX user_devices_age ON user_devices (created_at);

REVOKE ALL ON mail_codes, user_devices FROM PUBLIC, sluice_app;
GRANT SELECT, INSERT (browser_hash, purpose, account_id, user_id, user_generation, expires_at, mail_due_at),
    UPDATE (code_hash, attempts, mail_due_at, used_at), DELETE ON mail_codes TO sluice_app;
GRANT SELECT, INSERT (account_id, user_id, device_hash, user_generation), DELETE ON user_devices TO sluice_app;
