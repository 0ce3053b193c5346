-- Who signs in. An address is unique over all accounts and is looked up before the account is known, so it has a table of
-- its own.
CREATE TABLE user_addresses (
    address text PRIMARY KEY CHECK (octet_length(address) <= 320),
    account_id bigint NOT NULL,
    user_id bigint GENERATED ALWAYS AS IDENTITY
);

-- Account 0 is the installation; its users are the operators.
CREATE TABLE users (
    account_id bigint NOT NULL CHECK (account_id >= 0),
    user_id bigint NOT NULL,
    address text NOT NULL,
    role text NOT NULL CHECK (role IN ('viewer', 'member', 'manager', 'admin', 'owner', 'operator')),
    password_hash text CHECK (password_hash LIKE '$2b$%'),
    -- Sessions of an earlier generation are over.
    generation bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    last_sign_in_at timestamptz,
    customer_id bigint GENERATED ALWAYS AS (nullif(account_id, 0)) STORED REFERENCES accounts,
    PRIMARY KEY (account_id, user_id),
    CONSTRAINT users_kind CHECK ((role = 'operator') = (account_id = 0))
) WITH (fillfactor = 70);

-- What an account's users share: how many of them are owners, and the generation of all their sessions.
CREATE TABLE account_people (
    account_id bigint PRIMARY KEY,
    owners integer NOT NULL DEFAULT 0 CHECK (owners >= 0),
    session_generation bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 70);

-- An account that has users has an owner. Counting locks the account's row: of two owners who leave at the same time the
-- second waits for the first, and sees then that it is the last.
CREATE FUNCTION users_keep_an_owner() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    was_owner boolean := TG_OP <> 'INSERT' AND OLD.role = 'owner';
    is_owner boolean := TG_OP <> 'DELETE' AND NEW.role = 'owner';
BEGIN
    IF is_owner AND NOT was_owner THEN
        INSERT INTO account_people AS p (account_id, owners) VALUES (NEW.account_id, 1)
        ON CONFLICT (account_id) DO UPDATE SET owners = p.owners + 1;
    ELSIF was_owner AND NOT is_owner THEN
        UPDATE account_people SET owners = owners - 1 WHERE account_id = OLD.account_id AND owners > 1;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the last owner stays one'
                USING ERRCODE = 'restrict_violation', CONSTRAINT = 'users_keep_an_owner';
        END IF;
    ELSIF TG_OP = 'INSERT' THEN
        INSERT INTO account_people (account_id) VALUES (NEW.account_id) ON CONFLICT DO NOTHING;
        IF NEW.account_id > 0 AND NOT EXISTS (
            SELECT FROM account_people WHERE account_id = NEW.account_id AND owners > 0
        ) THEN
            RAISE EXCEPTION 'the first user of an account is its owner'
                USING ERRCODE = 'restrict_violation', CONSTRAINT = 'users_begin_with_an_owner';
        END IF;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER users_keep_an_owner AFTER INSERT OR UPDATE OF role OR DELETE ON users
    FOR EACH ROW EXECUTE FUNCTION users_keep_an_owner();
ALTER TABLE users ENABLE ALWAYS TRIGGER users_keep_an_owner;

REVOKE ALL ON user_addresses, users, account_people FROM PUBLIC, sluice_app;
REVOKE ALL ON FUNCTION users_keep_an_owner() FROM PUBLIC;
GRANT SELECT, INSERT (address, account_id), DELETE ON user_addresses TO sluice_app;
GRANT SELECT, INSERT (account_id, user_id, address, role, password_hash),
    UPDATE (role, password_hash, generation, last_sign_in_at), DELETE ON users TO sluice_app;
GRANT SELECT, INSERT, UPDATE (owners, session_generation) ON account_people TO sluice_app;
