-- commit_journal (510) together with what webhooks are told of its groups, in one round trip. Groups with events, those in
-- `p_told`, are applied one and all, or everything is undone with SQLSTATE SL001: then the caller has to tell the events
-- of those that are applied from the rest.
CREATE FUNCTION commit_told_journal(
    p_node text, p_account bigint[], p_campaign bigint[], p_batch integer[], p_epoch bigint[], p_group bigint[],
    p_begins boolean[], p_moves boolean[], p_waits boolean[], p_patience integer, p_sealed bytea[],
    p_delivered integer[], p_bounced integer[], p_expired integer[], p_suppressed integer[], p_invalid integer[],
    p_cancelled integer[], p_in_doubt integer[], p_deferred integer[], p_resent integer[], p_told boolean[],
    p_event_account bigint[], p_event_campaign bigint[], p_event_types bigint[], p_event_count smallint[],
    p_event_facts bytea[], p_event_private bytea[])
RETURNS TABLE (place integer, answer text, standing smallint) LANGUAGE plpgsql AS $$
BEGIN
    FOR place, answer, standing IN
        SELECT * FROM commit_journal(
            p_node, p_account, p_campaign, p_batch, p_epoch, p_group, p_begins, p_moves, p_waits, p_patience, p_sealed,
            p_delivered, p_bounced, p_expired, p_suppressed, p_invalid, p_cancelled, p_in_doubt, p_deferred, p_resent)
    LOOP
        IF p_told[place] AND answer <> 'applied' THEN
            RAISE EXCEPTION 'a journal group with events is not applied' USING ERRCODE = 'SL001';
        END IF;
        RETURN NEXT;
    END LOOP;
    PERFORM append_webhook_events(
        p_event_account, p_event_campaign, p_event_types, p_event_count, p_event_facts, p_event_private);
END $$;
GRANT EXECUTE ON FUNCTION commit_told_journal(
    text, bigint[], bigint[], integer[], bigint[], bigint[], boolean[], boolean[], boolean[], integer, bytea[],
    integer[], integer[], integer[], integer[], integer[], integer[], integer[], integer[], integer[], boolean[],
    bigint[], bigint[], bigint[], smallint[], bytea[], bytea[])
TO sluice_app;
