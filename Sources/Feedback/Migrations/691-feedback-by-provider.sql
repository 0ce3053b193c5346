-- What became of mail in each hour at each mailbox provider, by campaign: a provider judges a sender by its own users alone.
-- No address and no recipient; kept for a week. Mail that leaves by a smarthost is not in here.
CREATE TABLE feedback_by_provider (
    account_id bigint NOT NULL REFERENCES accounts,
    campaign_id bigint NOT NULL,
    provider text NOT NULL,
    hour timestamptz NOT NULL,
    delivered bigint NOT NULL DEFAULT 0,
    hard_bounces bigint NOT NULL DEFAULT 0,
    complaints bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (account_id, campaign_id, provider, hour)
) WITH (fillfactor = 50);
CREATE INDEX feedback_by_provider_by_age ON feedback_by_provider (hour);
GRANT SELECT, INSERT, UPDATE, DELETE ON feedback_by_provider TO sluice_app;
