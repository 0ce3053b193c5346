INSERT INTO account_key_checks (account_id)
SELECT account_id FROM domains UNION SELECT account_id FROM suppressions UNION SELECT account_id FROM campaigns
ON CONFLICT DO NOTHING;
