-- Whether an operator has ordered all of an account's mail to wait: for mails about the account that others send.
CREATE FUNCTION is_suspended(p_account bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT FROM operator_orders o
        WHERE o.account_id = p_account AND o.campaign_id = 0 AND o.lane = ''
            AND (o.ends_at IS NULL OR o.ends_at > now()))
$$;

REVOKE ALL ON FUNCTION is_suspended(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION is_suspended(bigint) TO sluice_app;
