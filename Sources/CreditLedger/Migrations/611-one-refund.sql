-- A recipient of a campaign is refunded at most once, whatever the program does.
CREATE UNIQUE INDEX ledger_entries_one_refund ON ledger_entries (account_id, campaign_id, recipient)
    WHERE kind = 'refund';
