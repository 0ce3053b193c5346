-- For how long after a campaign's end its bounces are refunded, of accounts for which the operator has set another time than
-- the installation's. Campaigns keep what held when they were sent.
CREATE TABLE account_refunds (
    account_id bigint PRIMARY KEY REFERENCES accounts,
    refund_seconds integer NOT NULL CHECK (refund_seconds BETWEEN 0 AND 2592000)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON account_refunds TO sluice_app;
