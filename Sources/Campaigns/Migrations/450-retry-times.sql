-- Of a retry batch: when the last of its recipients would be due by itself. The batch is due with the first.
ALTER TABLE batches ADD COLUMN latest_due_at timestamptz;
