-- Uploads under way. Their recipients lie in batch_recipients under the negative of their batch's number, without a
-- row in batches: nobody sees them. The end of an upload deletes its row, and turns the numbers if all went well.
CREATE TABLE uploads (
    account_id bigint NOT NULL,
    campaign_id bigint NOT NULL,
    -- Who writes for a campaign must name it: an upload whose place was taken writes nothing more.
    upload_no bigint GENERATED ALWAYS AS IDENTITY,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (account_id, campaign_id)
);
CREATE INDEX batch_recipients_staged ON batch_recipients (account_id, campaign_id) WHERE batch_no < 0;
GRANT SELECT, INSERT, UPDATE, DELETE ON uploads TO sluice_app;
