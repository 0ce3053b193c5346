CREATE TABLE account_names (
    name text PRIMARY KEY CHECK (char_length(name) BETWEEN 1 AND 200),
    account_id bigint GENERATED ALWAYS AS IDENTITY UNIQUE
);

CREATE TABLE accounts (
    account_id bigint PRIMARY KEY CHECK (account_id > 0),
    name text NOT NULL,
    posted bigint NOT NULL DEFAULT 0,
    held bigint NOT NULL DEFAULT 0,
    credit_limit bigint NOT NULL DEFAULT 0,
    entry_count bigint NOT NULL DEFAULT 0,
    chain_head bytea NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT accounts_bounds CHECK (
        posted BETWEEN -2305843009213693952 AND 2305843009213693952
        AND held BETWEEN 0 AND 2305843009213693952
        AND credit_limit BETWEEN 0 AND 2305843009213693952
        AND entry_count >= 0),
    CONSTRAINT accounts_within_limit CHECK (posted - held >= -credit_limit)
) WITH (fillfactor = 50);

CREATE TABLE holds (
    account_id bigint NOT NULL REFERENCES accounts,
    campaign_id bigint NOT NULL,
    batch_no integer NOT NULL,
    amount bigint NOT NULL CHECK (amount BETWEEN 0 AND 2305843009213693952),
    state text NOT NULL DEFAULT 'open',
    charged bigint NOT NULL DEFAULT 0,
    released bigint NOT NULL DEFAULT 0,
    carried bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    resolved_at timestamptz,
    PRIMARY KEY (account_id, campaign_id, batch_no),
    CONSTRAINT holds_resolution CHECK (
        charged >= 0 AND released >= 0 AND carried >= 0
        AND CASE state
            WHEN 'open' THEN charged = 0 AND released = 0 AND carried = 0 AND resolved_at IS NULL
            WHEN 'resolved' THEN charged + released + carried = amount AND resolved_at IS NOT NULL
            ELSE false END)
) WITH (fillfactor = 70);

CREATE TABLE ledger_entries (
    account_id bigint NOT NULL REFERENCES accounts,
    entry_no bigint NOT NULL CHECK (entry_no > 0),
    kind text NOT NULL,
    campaign_id bigint,
    batch_no integer,
    amount bigint NOT NULL,
    posted_before bigint NOT NULL,
    posted_after bigint NOT NULL,
    held_before bigint NOT NULL,
    held_after bigint NOT NULL,
    idempotency_key text,
    request_hash bytea CHECK (octet_length(request_hash) = 32),
    digest bytea CHECK (octet_length(digest) = 32),
    memo text NOT NULL DEFAULT '',
    chain bytea NOT NULL CHECK (octet_length(chain) = 32),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, entry_no),
    CONSTRAINT ledger_entries_key CHECK ((idempotency_key IS NULL) = (request_hash IS NULL)),
    CONSTRAINT ledger_entries_subject CHECK (
        (campaign_id IS NULL) = (kind IN ('grant', 'adjust'))
        AND (batch_no IS NOT NULL) = (kind = 'settle')
        AND (digest IS NOT NULL) = (kind = 'purge')),
    CONSTRAINT ledger_entries_arithmetic CHECK (CASE kind
        WHEN 'grant' THEN
            amount > 0 AND posted_after = posted_before + amount AND held_after = held_before
        WHEN 'adjust' THEN
            amount <> 0 AND posted_after = posted_before + amount AND held_after = held_before
        WHEN 'reserve' THEN
            amount >= 0 AND posted_after = posted_before AND held_after = held_before + amount
        WHEN 'settle' THEN
            amount >= 0 AND posted_after = posted_before - amount AND held_after <= held_before - amount
        WHEN 'release' THEN
            amount >= 0 AND posted_after = posted_before AND held_after = held_before - amount
        WHEN 'purge' THEN
            amount = 0 AND posted_after = posted_before AND held_after = held_before
        ELSE false END)
);
CREATE UNIQUE INDEX ledger_entries_idempotency ON ledger_entries (account_id, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
-- A batch is charged at most once, whatever the program does.
CREATE UNIQUE INDEX ledger_entries_one_settlement ON ledger_entries (account_id, campaign_id, batch_no)
    WHERE kind = 'settle';
CREATE FUNCTION ledger_lock(
    account bigint, campaign bigint, batches integer[], key text,
    OUT posted bigint, OUT held bigint, OUT credit_limit bigint, OUT entry_count bigint, OUT chain_head bytea,
    OUT read_at timestamptz, OUT prior_entry bigint,
    OUT hold_batches integer[], OUT hold_amounts bigint[], OUT hold_open boolean[]
) RETURNS SETOF record LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    SELECT a.posted, a.held, a.credit_limit, a.entry_count, a.chain_head
        INTO posted, held, credit_limit, entry_count, chain_head
        FROM accounts a WHERE a.account_id = account FOR NO KEY UPDATE;
    IF NOT FOUND THEN RETURN; END IF;
    read_at := clock_timestamp();
    IF key IS NOT NULL THEN
        SELECT e.entry_no INTO prior_entry FROM ledger_entries e
            WHERE e.account_id = account AND e.idempotency_key = key;
    END IF;
    IF cardinality(batches) > 0 THEN
        SELECT array_agg(h.batch_no ORDER BY h.batch_no), array_agg(h.amount ORDER BY h.batch_no),
                array_agg(h.state = 'open' ORDER BY h.batch_no)
            INTO hold_batches, hold_amounts, hold_open
            FROM holds h
            WHERE h.account_id = account AND h.campaign_id = campaign AND h.batch_no = ANY (batches);
    END IF;
    RETURN NEXT;
END $$;

CREATE FUNCTION ledger_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % is refused: the ledger is append-only', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE FUNCTION ledger_check_hold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'open' THEN
            RAISE EXCEPTION 'a hold begins open' USING ERRCODE = 'restrict_violation';
        END IF;
    ELSIF OLD.state <> 'open' OR NEW.state <> 'resolved'
        OR (NEW.account_id, NEW.campaign_id, NEW.batch_no, NEW.amount, NEW.created_at)
            IS DISTINCT FROM (OLD.account_id, OLD.campaign_id, OLD.batch_no, OLD.amount, OLD.created_at) THEN
        RAISE EXCEPTION 'a hold resolves once and changes in no other way'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

-- An entry continues the one before it, and the account's counters follow in the same statement.
CREATE FUNCTION ledger_check_entry() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    posted bigint := 0;
    held bigint := 0;
BEGIN
    IF NEW.entry_no > 1 THEN
        SELECT e.posted_after, e.held_after INTO posted, held FROM ledger_entries e
            WHERE e.account_id = NEW.account_id AND e.entry_no = NEW.entry_no - 1;
    END IF;
    IF (NEW.posted_before, NEW.held_before) IS DISTINCT FROM (posted, held) OR NOT EXISTS (
        SELECT FROM accounts a WHERE a.account_id = NEW.account_id AND a.entry_count >= NEW.entry_no) THEN
        RAISE EXCEPTION 'a ledger entry must continue the one before it'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;

-- Counters move only with an entry that says so.
CREATE FUNCTION ledger_check_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.entry_count < OLD.entry_count OR NOT EXISTS (
        SELECT FROM ledger_entries e
        WHERE e.account_id = NEW.account_id AND e.entry_no = NEW.entry_count
            AND e.posted_after = NEW.posted AND e.held_after = NEW.held AND e.chain = NEW.chain_head) THEN
        RAISE EXCEPTION 'credits move only with a ledger entry' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER refuse_row BEFORE UPDATE OR DELETE ON ledger_entries
    FOR EACH ROW EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER refuse_statement BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_entries
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER check_entry AFTER INSERT ON ledger_entries
    FOR EACH ROW EXECUTE FUNCTION ledger_check_entry();
CREATE TRIGGER refuse_row BEFORE DELETE ON holds
    FOR EACH ROW EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER refuse_statement BEFORE DELETE OR TRUNCATE ON holds
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER check_hold BEFORE INSERT OR UPDATE ON holds
    FOR EACH ROW EXECUTE FUNCTION ledger_check_hold();
CREATE TRIGGER refuse_row BEFORE DELETE ON accounts
    FOR EACH ROW EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER refuse_statement BEFORE DELETE OR TRUNCATE ON accounts
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER check_account AFTER UPDATE ON accounts FOR EACH ROW
    WHEN ((OLD.posted, OLD.held, OLD.entry_count, OLD.chain_head)
        IS DISTINCT FROM (NEW.posted, NEW.held, NEW.entry_count, NEW.chain_head))
    EXECUTE FUNCTION ledger_check_account();
ALTER TABLE ledger_entries ENABLE ALWAYS TRIGGER refuse_row;
ALTER TABLE ledger_entries ENABLE ALWAYS TRIGGER refuse_statement;
ALTER TABLE ledger_entries ENABLE ALWAYS TRIGGER check_entry;
ALTER TABLE holds ENABLE ALWAYS TRIGGER refuse_row;
ALTER TABLE holds ENABLE ALWAYS TRIGGER refuse_statement;
ALTER TABLE holds ENABLE ALWAYS TRIGGER check_hold;
ALTER TABLE accounts ENABLE ALWAYS TRIGGER refuse_row;
ALTER TABLE accounts ENABLE ALWAYS TRIGGER refuse_statement;
ALTER TABLE accounts ENABLE ALWAYS TRIGGER check_account;
REVOKE ALL ON account_names, accounts, holds, ledger_entries FROM PUBLIC, sluice_app;
GRANT SELECT, INSERT (name) ON account_names TO sluice_app;
GRANT SELECT, INSERT (account_id, name, credit_limit), UPDATE (posted, held, entry_count, chain_head)
    ON accounts TO sluice_app;
GRANT SELECT, INSERT (account_id, campaign_id, batch_no, amount),
    UPDATE (state, charged, released, carried, resolved_at) ON holds TO sluice_app;
GRANT SELECT, INSERT ON ledger_entries TO sluice_app;
REVOKE ALL ON FUNCTION ledger_lock(bigint, bigint, integer[], text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger_lock(bigint, bigint, integer[], text) TO sluice_app;
