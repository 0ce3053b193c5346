-- What receivers have answered to the first attempts at a campaign's mail, all nodes together, older answers less:
-- the share of blocks pauses it. Gone with its data.
CREATE TABLE campaign_answers (
    account_id bigint NOT NULL,
    campaign_id bigint NOT NULL,
    answers double precision NOT NULL,
    blocks double precision NOT NULL,
    PRIMARY KEY (account_id, campaign_id)
) WITH (fillfactor = 50);

-- By which replies receivers have refused a campaign's mail for its sender, in any attempt. No address and no
-- recipient; the words go with the campaign's data.
CREATE TABLE campaign_blocks (
    account_id bigint NOT NULL,
    campaign_id bigint NOT NULL,
    code integer NOT NULL,
    -- Empty without one.
    enhanced text NOT NULL,
    text text NOT NULL,
    count bigint NOT NULL,
    first_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (account_id, campaign_id, code, enhanced)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON campaign_answers, campaign_blocks TO sluice_app;
