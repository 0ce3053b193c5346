-- Recipients whose mail was tried and not charged: no report of a bounce gives anything back for them. An empty fingerprint
-- says that nobody knows who else of its campaign. Outlives the campaign, and names nobody.
CREATE TABLE uncharged_mails (
    account_id bigint NOT NULL REFERENCES accounts,
    campaign_id bigint NOT NULL,
    fingerprint bytea NOT NULL CHECK (octet_length(fingerprint) IN (0, 16)),
    PRIMARY KEY (account_id, campaign_id, fingerprint)
);
-- Bounces reported in time whose credit is still to be given back: that waits for the end of the campaign.
CREATE TABLE refunds_due (
    account_id bigint NOT NULL REFERENCES accounts,
    campaign_id bigint NOT NULL,
    fingerprint bytea NOT NULL CHECK (octet_length(fingerprint) = 16),
    noted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (account_id, campaign_id, fingerprint)
);
GRANT SELECT, INSERT, DELETE ON uncharged_mails TO sluice_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON refunds_due TO sluice_app;
-- For so long after its end a bounce is refunded, as the operator had set when the campaign was sent. 0 for those of
-- versions that do not note who was not charged.
ALTER TABLE campaigns ADD COLUMN refund_seconds integer NOT NULL DEFAULT 0;
