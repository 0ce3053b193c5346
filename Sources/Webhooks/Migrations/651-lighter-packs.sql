-- Nothing in a pack can be made smaller, and a pack of a journal commit fits into a page.
ALTER TABLE webhook_events
    ALTER COLUMN facts SET STORAGE EXTERNAL,
    ALTER COLUMN private SET STORAGE EXTERNAL,
    SET (toast_tuple_target = 8160);

-- One look for the endpoints of a pack instead of two, in statements that are quickly begun: they are written with each
-- commit of the journal.
CREATE OR REPLACE FUNCTION append_webhook_events(
    accounts bigint[], campaigns bigint[], masks bigint[], counts smallint[], facts bytea[], privates bytea[]
) RETURNS bigint LANGUAGE plpgsql SET plan_cache_mode = 'force_generic_plan' AS $$
#variable_conflict use_column
DECLARE
    v_endpoints bigint[];
    v_event bigint;
    v_queued bigint := 0;
BEGIN
    FOR place IN 1..cardinality(accounts) LOOP
        SELECT array_agg(e.endpoint_id) INTO v_endpoints FROM webhook_endpoints e
        WHERE e.account_id = accounts[place] AND e.disabled_reason IS NULL AND e.types & masks[place] <> 0;
        CONTINUE WHEN v_endpoints IS NULL;
        INSERT INTO webhook_events (account_id, campaign_id, types, events, octets, facts, private, waiting)
        VALUES (
            accounts[place], campaigns[place], masks[place], counts[place],
            octet_length(append_webhook_events.facts[place]) + coalesce(octet_length(privates[place]), 0),
            append_webhook_events.facts[place], privates[place], cardinality(v_endpoints))
        RETURNING event_no INTO v_event;
        INSERT INTO webhook_deliveries (account_id, endpoint_id, campaign_id, event_no, end_event)
        SELECT accounts[place], e.endpoint, campaigns[place], v_event, counts[place]
        FROM unnest(v_endpoints) AS e (endpoint);
        v_queued := v_queued + cardinality(v_endpoints);
    END LOOP;
    RETURN v_queued;
END $$;
