-- The pool of source addresses that its mails leave from; NULL for the one of the account.
ALTER TABLE campaigns ADD COLUMN source_pool text CHECK (source_pool <> '');
-- The pools that campaigns of the account may ask for, besides its own.
ALTER TABLE account_shaping ADD COLUMN campaign_pools text[] NOT NULL DEFAULT '{}';
-- The pools of source addresses that the node has; NULL until it has told.
ALTER TABLE nodes ADD COLUMN pools text[];

-- As before, and tells the node's pools.
CREATE FUNCTION heartbeat(p_node text, p_seconds double precision, p_pools text[])
RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
    UPDATE nodes SET seen_at = clock_timestamp(), pools = p_pools WHERE node = p_node;
    RETURN (SELECT count(*) FROM nodes WHERE seen_at > clock_timestamp() - make_interval(secs => p_seconds));
END $$;
GRANT EXECUTE ON FUNCTION heartbeat(text, double precision, text[]) TO sluice_app;
