CREATE INDEX suppressions_by_reason ON suppressions (account_id, reason, created_at, fingerprint);
