-- In which order outcomes come, and when. The numbers of journal groups with outcomes are drawn while their campaign is
-- locked, so within a campaign they are committed in their order. A batch that ends draws one of the same numbers: for the
-- recipients whose outcome nothing has journalled.
ALTER TABLE batches ADD COLUMN ended_no bigint;
ALTER TABLE batches ADD COLUMN ended_at timestamptz;
ALTER TABLE journal ADD COLUMN noted_at timestamptz;
ALTER TABLE journal ALTER COLUMN noted_at SET DEFAULT clock_timestamp();
-- Sealed: by which journal group each outcome of a settled batch came, and when.
ALTER TABLE batch_results ADD COLUMN marks bytea;
ALTER TABLE batch_results ALTER COLUMN marks SET STORAGE EXTERNAL;

-- By the database, so that it does not matter which release ends a batch.
CREATE FUNCTION number_ended_batch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.ended_no := nextval(pg_get_serial_sequence('journal', 'seq'));
    NEW.ended_at := clock_timestamp();
    RETURN NEW;
END $$;
CREATE TRIGGER number_ended_batch BEFORE UPDATE OF state ON batches
    FOR EACH ROW WHEN (NEW.state IN (3, 5) AND OLD.state NOT IN (3, 5))
    EXECUTE FUNCTION number_ended_batch();
-- A part of a batch is settled as it is made.
CREATE TRIGGER number_ended_part BEFORE INSERT ON batches
    FOR EACH ROW WHEN (NEW.state = 3)
    EXECUTE FUNCTION number_ended_batch();
GRANT USAGE ON SEQUENCE journal_seq_seq TO sluice_app;