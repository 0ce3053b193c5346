-- How far each account may go below zero: what was ordered and when, the last row being what holds. The program chains what
-- it writes. A row without a chain is the database's own: the first one of an account that a version before has opened, a
-- later one because somebody changed the limit in the table.
CREATE TABLE limit_changes (
    account_id bigint NOT NULL REFERENCES accounts,
    change_no bigint NOT NULL CHECK (change_no > 0),
    credit_limit bigint NOT NULL CHECK (credit_limit BETWEEN 0 AND 2305843009213693952),
    memo text NOT NULL DEFAULT '',
    chain bytea CHECK (octet_length(chain) = 32),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (account_id, change_no)
);
GRANT SELECT, INSERT ON limit_changes TO sluice_app;
GRANT UPDATE (credit_limit) ON accounts TO sluice_app;

CREATE FUNCTION ledger_note_limit() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    number bigint;
    noted bigint;
BEGIN
    SELECT c.change_no, c.credit_limit INTO number, noted FROM limit_changes c
        WHERE c.account_id = NEW.account_id ORDER BY c.change_no DESC LIMIT 1;
    IF noted IS DISTINCT FROM NEW.credit_limit THEN
        INSERT INTO limit_changes (account_id, change_no, credit_limit)
        VALUES (NEW.account_id, coalesce(number, 0) + 1, NEW.credit_limit);
    END IF;
    RETURN NULL;
END $$;
DO $$
BEGIN
    EXECUTE format(
        'ALTER FUNCTION ledger_note_limit() SET search_path = pg_catalog, %I, pg_temp', current_schema());
END $$;

CREATE TRIGGER note_opening AFTER INSERT ON accounts FOR EACH ROW EXECUTE FUNCTION ledger_note_limit();
CREATE TRIGGER note_limit AFTER UPDATE ON accounts FOR EACH ROW
    WHEN (OLD.credit_limit IS DISTINCT FROM NEW.credit_limit) EXECUTE FUNCTION ledger_note_limit();
INSERT INTO limit_changes (account_id, change_no, credit_limit) SELECT account_id, 1, credit_limit FROM accounts;

CREATE TRIGGER refuse_row BEFORE UPDATE OR DELETE ON limit_changes
    FOR EACH ROW EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER refuse_statement BEFORE UPDATE OR DELETE OR TRUNCATE ON limit_changes
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
ALTER TABLE limit_changes ENABLE ALWAYS TRIGGER refuse_row;
ALTER TABLE limit_changes ENABLE ALWAYS TRIGGER refuse_statement;
