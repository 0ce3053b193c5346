-- Of each campaign, the retries that nobody has claimed.
CREATE INDEX batches_to_join ON batches (account_id, campaign_id, due_at)
    WHERE state = 1 AND attempt > 0 AND epoch = 0;
