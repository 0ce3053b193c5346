-- Claims look at accounts that have something due, and not at all whose mail waits for its time.
CREATE INDEX account_queue_due ON account_queue (next_due);
