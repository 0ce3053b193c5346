-- The guards look at the tables of their own schema, and never at temporary ones of the same names, which any session
-- may make.
DO $$
DECLARE
    guard record;
BEGIN
    FOR guard IN
        SELECT p.oid::regprocedure AS name, n.nspname AS schema
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE n.nspname = current_schema()
            AND p.proname IN ('ledger_check_account', 'ledger_check_entry', 'ledger_check_hold')
    LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = pg_catalog, %I, pg_temp', guard.name, guard.schema);
    END LOOP;
END $$;
