-- How far complaints and bounces have braked a campaign, and by which counts: 1 warned of, 2 slowed, 3 paused. Stays as the
-- last that was done.
CREATE TABLE campaign_brakes (
    account_id bigint NOT NULL,
    campaign_id bigint NOT NULL,
    level smallint NOT NULL CHECK (level BETWEEN 0 AND 3),
    cause text NOT NULL,
    -- Whether the counts are of the whole account.
    is_of_account boolean NOT NULL,
    delivered bigint NOT NULL,
    hard_bounces bigint NOT NULL,
    complaints bigint NOT NULL,
    set_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- While it is slowed: what to give back. No rate where the campaign had none.
    is_slowed boolean NOT NULL DEFAULT false,
    rate_before integer,
    PRIMARY KEY (account_id, campaign_id)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON campaign_brakes TO sluice_app;