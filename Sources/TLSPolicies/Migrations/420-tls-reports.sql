CREATE TABLE tls_reports (
    day integer NOT NULL,
    domain text NOT NULL,
    -- The counts of all nodes; null once the report is finished.
    results bytea,
    report_id text NOT NULL,
    -- Of the next attempt. While somebody sends the report, when he must be done.
    due_at bigint NOT NULL,
    first_tried_at bigint,
    sent_to text[] NOT NULL DEFAULT '{}',
    is_finished boolean NOT NULL DEFAULT false,
    PRIMARY KEY (day, domain));
CREATE INDEX tls_reports_due ON tls_reports (due_at) WHERE NOT is_finished;
GRANT SELECT, INSERT, UPDATE, DELETE ON tls_reports TO sluice_app;
