-- What receivers have told of mail that claims to come from a domain, and of TLS towards it: a day and reporter each.
-- Anybody can send such a report. Kept for 90 days.
CREATE TABLE domain_reports (
    account_id bigint NOT NULL,
    domain text NOT NULL,
    report_no bigint GENERATED ALWAYS AS IDENTITY,
    kind text NOT NULL CHECK (kind IN ('dmarc', 'tls')),
    organization text NOT NULL,
    report_id text NOT NULL,
    begins_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    good bigint NOT NULL,
    bad bigint NOT NULL,
    -- One element of each for each kind of mail or session that the report tells of.
    sources text[] NOT NULL,
    counts bigint[] NOT NULL,
    goods boolean[] NOT NULL,
    details text[] NOT NULL,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (account_id, domain, report_no),
    UNIQUE (account_id, domain, kind, organization, report_id),
    FOREIGN KEY (account_id, domain) REFERENCES domains ON DELETE CASCADE
);
CREATE INDEX domain_reports_by_age ON domain_reports (received_at);
GRANT SELECT, INSERT, DELETE ON domain_reports TO sluice_app;