-- A row for each account that has a key. The value is derived from the key and tells it from another;
-- null until a key of before this table is opened for the first time.
CREATE TABLE account_key_checks (
    account_id bigint PRIMARY KEY,
    check_value bytea CHECK (octet_length(check_value) = 16)
);
GRANT SELECT, INSERT, UPDATE ON account_key_checks TO sluice_app;
