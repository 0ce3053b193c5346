-- A node of a version before 490 does not know what newer nodes have written beside a campaign, and leaves it behind
-- when it purges. So the database does away with it. After a newer node's purge there is nothing left to do.
CREATE FUNCTION purge_newer_data() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM campaign_answers a WHERE a.account_id = NEW.account_id AND a.campaign_id = NEW.campaign_id;
    DELETE FROM uploads u WHERE u.account_id = NEW.account_id AND u.campaign_id = NEW.campaign_id;
    UPDATE campaign_blocks b SET text = ''
    WHERE b.account_id = NEW.account_id AND b.campaign_id = NEW.campaign_id AND b.text <> '';
    NEW.pause_reason := NULL;
    RETURN NEW;
END $$;
-- Only statements that name the column: none of the journal's.
CREATE TRIGGER purge_newer_data BEFORE UPDATE OF purged_at ON campaigns
    FOR EACH ROW WHEN (OLD.purged_at IS NULL AND NEW.purged_at IS NOT NULL)
    EXECUTE FUNCTION purge_newer_data();
