-- What became of mail in each hour, by campaign, and by account where the campaign is 0: the shares of complaints and of
-- addresses that do not exist brake its sending. No address and no recipient; kept for a week.
CREATE TABLE feedback_hours (
    account_id bigint NOT NULL REFERENCES accounts,
    campaign_id bigint NOT NULL,
    hour timestamptz NOT NULL,
    delivered bigint NOT NULL DEFAULT 0,
    hard_bounces bigint NOT NULL DEFAULT 0,
    complaints bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (account_id, campaign_id, hour)
) WITH (fillfactor = 50);
CREATE INDEX feedback_hours_by_age ON feedback_hours (hour);
GRANT SELECT, INSERT, UPDATE, DELETE ON feedback_hours TO sluice_app;