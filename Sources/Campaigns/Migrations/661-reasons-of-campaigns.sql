-- Why recipients of a campaign were not reached, by outcome: 2 bounced, 3 expired. No address and no recipient; outlives the
-- campaign.
CREATE TABLE campaign_reasons (
    account_id bigint NOT NULL,
    campaign_id bigint NOT NULL,
    outcome smallint NOT NULL CHECK (outcome IN (2, 3)),
    reason text NOT NULL CHECK (octet_length(reason) BETWEEN 1 AND 40),
    count bigint NOT NULL CHECK (count >= 0),
    PRIMARY KEY (account_id, campaign_id, outcome, reason)
) WITH (fillfactor = 50);
GRANT SELECT, INSERT, UPDATE ON campaign_reasons TO sluice_app;