-- The same columns and rows as batches_claimable: each claim wrote both.
DROP INDEX batches_campaign_due;
