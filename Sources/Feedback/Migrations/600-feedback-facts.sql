-- What is known of mails after they were sent, each fact once; 1 hard bounce, 2 soft bounce, 3 complaint, 4 unsubscribe,
-- 5 delay. Outlives the campaign, and names nobody.
CREATE TABLE feedback_facts (
    account_id bigint NOT NULL REFERENCES accounts,
    campaign_id bigint NOT NULL,
    fingerprint bytea NOT NULL CHECK (octet_length(fingerprint) = 16),
    fact smallint NOT NULL CHECK (fact BETWEEN 1 AND 5),
    channel text NOT NULL CHECK (octet_length(channel) BETWEEN 1 AND 40),
    reason text NOT NULL CHECK (octet_length(reason) <= 60),
    occurred_at timestamptz,
    noted_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, campaign_id, fingerprint, fact)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON feedback_facts TO sluice_app;
