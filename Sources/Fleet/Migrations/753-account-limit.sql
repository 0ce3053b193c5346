-- What was set for an account under a name; null where nothing was. For bounds that must hold at once on every node, in the
-- transaction that makes something, instead of as of a second ago. Sessions of sluice_api see their own account's alone.
CREATE FUNCTION account_limit(p_account bigint, p_name text) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT l.value FROM account_limits l WHERE l.account_id = p_account AND l.name = p_name
$$;

REVOKE ALL ON FUNCTION account_limit(bigint, text) FROM PUBLIC;
GRANT SELECT ON account_limits TO sluice_api;
GRANT EXECUTE ON FUNCTION account_limit(bigint, text) TO sluice_app, sluice_api;
