ALTER TABLE account_queue ADD COLUMN held_at timestamptz;
CREATE INDEX account_queue_held ON account_queue (account_id) WHERE held_at IS NOT NULL;

CREATE OR REPLACE FUNCTION enqueue_account(p_account bigint, p_due timestamptz)
RETURNS void LANGUAGE sql AS $$
    INSERT INTO account_queue AS q (account_id, next_due) VALUES (p_account, p_due)
    ON CONFLICT (account_id) DO UPDATE SET next_due = excluded.next_due
    WHERE q.next_due > excluded.next_due AND q.held_at IS NULL
$$;
