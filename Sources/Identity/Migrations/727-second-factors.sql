-- The second factor of a user: a secret that an app makes codes of (RFC 6238), sealed under a key of the vault.
CREATE TABLE second_factors (
    account_id bigint NOT NULL,
    user_id bigint NOT NULL,
    sealed bytea NOT NULL,
    begun_at timestamptz NOT NULL DEFAULT now(),
    -- When a code showed that the app has the secret. Until then it does not count.
    confirmed_at timestamptz,
    -- Of the last code that was taken. Codes of this step and of earlier ones are over.
    last_step bigint NOT NULL DEFAULT 0 CHECK (last_step >= 0),
    -- Codes that were tried without success, in a window that begins with the first.
    attempts integer NOT NULL DEFAULT 0,
    attempts_since timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, user_id),
    FOREIGN KEY (account_id, user_id) REFERENCES users ON DELETE CASCADE
) WITH (fillfactor = 70);

-- What stands in for a code once, where the app is lost.
CREATE TABLE recovery_codes (
    account_id bigint NOT NULL,
    user_id bigint NOT NULL,
    code_hash bytea NOT NULL CHECK (octet_length(code_hash) = 32),
    used_at timestamptz,
    PRIMARY KEY (account_id, user_id, code_hash),
    FOREIGN KEY (account_id, user_id) REFERENCES second_factors ON DELETE CASCADE
) WITH (fillfactor = 70);

-- What became of second factors. It outlives them and their users, and nobody who serves requests changes it.
CREATE TABLE second_factor_changes (
    account_id bigint NOT NULL,
    user_id bigint NOT NULL,
    change_id bigint GENERATED ALWAYS AS IDENTITY,
    change text NOT NULL CHECK (change IN (
        'enabled', 'disabled', 'recovery_code_used', 'recovery_codes_replaced', 'removed_by_operator')),
    -- An operator's.
    reason text CHECK (octet_length(reason) <= 800 AND (reason IS NOT NULL) = (change = 'removed_by_operator')),
    changed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, user_id, change_id)
);

REVOKE ALL ON second_factors, recovery_codes, second_factor_changes FROM PUBLIC, sluice_app;
GRANT SELECT, INSERT (account_id, user_id, sealed),
    UPDATE (sealed, begun_at, confirmed_at, last_step, attempts, attempts_since), DELETE ON second_factors TO sluice_app;
GRANT SELECT, INSERT (account_id, user_id, code_hash), UPDATE (used_at), DELETE ON recovery_codes TO sluice_app;
GRANT SELECT, INSERT (account_id, user_id, change, reason) ON second_factor_changes TO sluice_app;
