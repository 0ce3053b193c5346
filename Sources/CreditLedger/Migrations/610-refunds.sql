-- A mail that was charged comes back: its credit is given back, once. The recipient is a fingerprint.
ALTER TABLE ledger_entries
    ADD COLUMN recipient bytea,
    ADD CONSTRAINT ledger_entries_recipient
        CHECK (CASE WHEN kind = 'refund' THEN coalesce(octet_length(recipient) = 16, false) ELSE recipient IS NULL END)
        NOT VALID,
    DROP CONSTRAINT ledger_entries_arithmetic,
    ADD CONSTRAINT ledger_entries_arithmetic CHECK (CASE kind
        WHEN 'grant' THEN
            amount > 0 AND posted_after = posted_before + amount AND held_after = held_before
        WHEN 'adjust' THEN
            amount <> 0 AND posted_after = posted_before + amount AND held_after = held_before
        WHEN 'reserve' THEN
            amount >= 0 AND posted_after = posted_before AND held_after = held_before + amount
        WHEN 'settle' THEN
            amount >= 0 AND posted_after = posted_before - amount AND held_after <= held_before - amount
        WHEN 'release' THEN
            amount >= 0 AND posted_after = posted_before AND held_after = held_before - amount
        WHEN 'purge' THEN
            amount = 0 AND posted_after = posted_before AND held_after = held_before
        WHEN 'refund' THEN
            amount = 1 AND posted_after = posted_before + amount AND held_after = held_before
        ELSE false END) NOT VALID;
