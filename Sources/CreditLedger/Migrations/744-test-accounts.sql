-- Accounts above 500,000,000,000 are test accounts (decision 0125): nothing is reserved or charged, so there is nothing to
-- count. An entry moves its account's counters, so these two refuse entries and holds alike. Not validated: no account had
-- such a number before, and nobody has to wait while that is looked for.
ALTER TABLE accounts ADD CONSTRAINT accounts_test CHECK (
    account_id <= 500000000000 OR (posted, held, credit_limit, entry_count) = (0, 0, 0, 0)) NOT VALID;
ALTER TABLE holds ADD CONSTRAINT holds_live CHECK (account_id <= 500000000000) NOT VALID;
