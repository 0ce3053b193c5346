-- Row-level security behind the filters that each statement has (decision 0117).
--
-- sluice_api is the role of sessions that serve one account. It is granted what these need, and its policies show it the rows
-- of the account that the transaction has named. sluice_app works for all accounts and sees all rows; so do nodes of the
-- version before, which know no other role, and the owner, who is a member of sluice_app.

-- Whose rows the transaction may see; null, which equals nothing, where nobody has said so. A setting that was local to an
-- earlier transaction is left behind as an empty text.
CREATE FUNCTION session_account() RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('sluice.account', true), '')::bigint;

-- For migrations: each table of an account's data goes through this.
CREATE FUNCTION isolate_accounts(VARIADIC p_tables regclass[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_table regclass;
BEGIN
    FOREACH v_table IN ARRAY p_tables LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', v_table);
        EXECUTE format('CREATE POLICY every_account ON %s TO sluice_app USING (true)', v_table);
        EXECUTE format('CREATE POLICY own_account ON %s TO sluice_api USING (account_id = session_account())', v_table);
    END LOOP;
END $$;
REVOKE ALL ON FUNCTION isolate_accounts(regclass[]) FROM PUBLIC;

SELECT isolate_accounts('accounts', 'account_names', 'holds', 'ledger_entries', 'limit_changes');

GRANT SELECT, UPDATE (posted, held, entry_count, chain_head) ON accounts TO sluice_api;
GRANT SELECT, INSERT (account_id, campaign_id, batch_no, amount),
    UPDATE (state, charged, released, carried, resolved_at) ON holds TO sluice_api;
GRANT SELECT, INSERT ON ledger_entries TO sluice_api;
GRANT EXECUTE ON FUNCTION ledger_lock(bigint, bigint, integer[], text) TO sluice_api;
