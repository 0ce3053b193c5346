-- See 730.
SELECT isolate_accounts('domains', 'domain_keys', 'domain_findings', 'domain_owners', 'domain_reports');

GRANT SELECT, INSERT, DELETE, UPDATE ON domains TO sluice_api;
GRANT SELECT, INSERT, DELETE, UPDATE (role, retired_at) ON domain_keys TO sluice_api;
GRANT SELECT, INSERT, DELETE ON domain_findings, domain_owners TO sluice_api;
GRANT SELECT ON domain_reports TO sluice_api;

-- Which of these domains other accounts have proven, and not who. A domain is one account's, so whoever asks for it must hear
-- that it is taken. This is the one function that answers by its owner's rights.
CREATE FUNCTION proven_by_others(p_account bigint, p_domains text[]) RETURNS SETOF text
    LANGUAGE sql STABLE SECURITY DEFINER
    AS $$ SELECT domain FROM domain_owners WHERE domain = ANY (p_domains) AND account_id <> p_account $$;
DO $$
BEGIN
    EXECUTE format(
        'ALTER FUNCTION proven_by_others(bigint, text[]) SET search_path = pg_catalog, %I, pg_temp', current_schema());
END $$;
REVOKE ALL ON FUNCTION proven_by_others(bigint, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION proven_by_others(bigint, text[]) TO sluice_app, sluice_api;
