-- Counters are updated by each journal group. No index covers a column that changes then, and half of each
-- page is left free, so that such updates stay on their page (HOT) and cost little WAL.
CREATE TABLE campaigns (
    account_id bigint NOT NULL REFERENCES accounts (account_id),
    campaign_id bigint NOT NULL,
    state text NOT NULL DEFAULT 'draft' CHECK (
        state IN ('draft', 'scheduled', 'queued', 'sending', 'paused', 'completed', 'cancelled')),
    from_domain text NOT NULL,
    in_doubt_policy text NOT NULL DEFAULT 'resend' CHECK (in_doubt_policy IN ('resend', 'skip')),
    expiry_seconds integer NOT NULL DEFAULT 172800 CHECK (expiry_seconds > 0),
    batch_size integer NOT NULL DEFAULT 1000 CHECK (batch_size BETWEEN 1 AND 1000),
    created_at timestamptz NOT NULL DEFAULT now(),
    scheduled_at timestamptz,
    queued_at timestamptz,
    started_at timestamptz,
    paused_at timestamptz,
    -- Temporary failures become final then. A pause moves it.
    expires_at timestamptz,
    completed_at timestamptz,
    purged_at timestamptz,
    next_batch integer NOT NULL DEFAULT 1 CHECK (next_batch >= 1),
    -- Batches that are neither settled nor cancelled, once sent.
    open_batches integer NOT NULL DEFAULT 0 CHECK (open_batches >= 0),
    recipients integer NOT NULL DEFAULT 0 CHECK (recipients >= 0),
    delivered integer NOT NULL DEFAULT 0 CHECK (delivered >= 0),
    bounced integer NOT NULL DEFAULT 0 CHECK (bounced >= 0),
    expired integer NOT NULL DEFAULT 0 CHECK (expired >= 0),
    suppressed integer NOT NULL DEFAULT 0 CHECK (suppressed >= 0),
    invalid integer NOT NULL DEFAULT 0 CHECK (invalid >= 0),
    cancelled integer NOT NULL DEFAULT 0 CHECK (cancelled >= 0),
    in_doubt integer NOT NULL DEFAULT 0 CHECK (in_doubt >= 0),
    -- Waiting for another attempt: not final.
    deferred integer NOT NULL DEFAULT 0 CHECK (deferred >= 0),
    -- Mails sent again after an answer was lost. Such a recipient has another outcome in the end.
    in_doubt_resent integer NOT NULL DEFAULT 0 CHECK (in_doubt_resent >= 0),
    certificate text,
    PRIMARY KEY (account_id, campaign_id),
    CONSTRAINT campaigns_counters_fit CHECK (
        delivered + bounced + expired + suppressed + invalid + cancelled + in_doubt + deferred <= recipients),
    CONSTRAINT campaigns_end_is_whole CHECK (
        (state <> 'completed' AND purged_at IS NULL)
        OR delivered + bounced + expired + suppressed + invalid + cancelled + in_doubt = recipients),
    CONSTRAINT campaigns_purge_is_last CHECK (
        purged_at IS NULL
        OR (state IN ('completed', 'cancelled') AND open_batches = 0 AND certificate IS NOT NULL))
) WITH (fillfactor = 50);
CREATE INDEX campaigns_unfinished ON campaigns (account_id, campaign_id) WHERE purged_at IS NULL;

CREATE TABLE campaign_content (
    account_id bigint NOT NULL,
    campaign_id bigint NOT NULL,
    sealed bytea NOT NULL,
    PRIMARY KEY (account_id, campaign_id),
    FOREIGN KEY (account_id, campaign_id) REFERENCES campaigns
);

-- state: 0 draft, 1 open, 2 paused, 3 settled, 4 cancelling (leased when the campaign was cancelled),
-- 5 cancelled without a worker.
CREATE TABLE batches (
    account_id bigint NOT NULL,
    campaign_id bigint NOT NULL,
    batch_no integer NOT NULL CHECK (batch_no >= 1),
    state smallint NOT NULL DEFAULT 0 CHECK (state BETWEEN 0 AND 5),
    -- Those to deliver to, without the ones suppressed at the import: what the hold is for.
    recipients integer NOT NULL CHECK (recipients >= 0),
    finished integer NOT NULL DEFAULT 0,
    delivered integer NOT NULL DEFAULT 0,
    -- Those of this batch that the campaign counts as deferred.
    deferred integer NOT NULL DEFAULT 0,
    -- 0 at first; a retry batch has one more than the batch it came from.
    attempt integer NOT NULL DEFAULT 0,
    due_at timestamptz,
    lease_node text,
    lease_until timestamptz,
    -- Counts the claims. A worker writes only under the epoch it claimed.
    epoch bigint NOT NULL DEFAULT 0,
    -- Number of the last journal group applied under this epoch: a group sent twice counts once.
    last_group bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (account_id, campaign_id, batch_no),
    FOREIGN KEY (account_id, campaign_id) REFERENCES campaigns,
    CHECK (delivered >= 0 AND delivered <= finished AND deferred >= 0 AND finished + deferred <= recipients)
) WITH (fillfactor = 50);
CREATE INDEX batches_leased ON batches (lease_node) WHERE lease_node IS NOT NULL;
CREATE INDEX batches_due ON batches (account_id, due_at, campaign_id, batch_no) WHERE state IN (1, 4);

CREATE TABLE batch_recipients (
    account_id bigint NOT NULL,
    campaign_id bigint NOT NULL,
    batch_no integer NOT NULL,
    sealed bytea NOT NULL,
    PRIMARY KEY (account_id, campaign_id, batch_no)
);

-- Of a settled batch: the final outcomes. Of a retry batch before: the last reply to each recipient.
CREATE TABLE batch_results (
    account_id bigint NOT NULL,
    campaign_id bigint NOT NULL,
    batch_no integer NOT NULL,
    sealed bytea NOT NULL,
    PRIMARY KEY (account_id, campaign_id, batch_no)
);

CREATE TABLE journal (
    account_id bigint NOT NULL,
    campaign_id bigint NOT NULL,
    batch_no integer NOT NULL,
    seq bigint GENERATED ALWAYS AS IDENTITY,
    epoch bigint NOT NULL,
    sealed bytea NOT NULL,
    PRIMARY KEY (account_id, campaign_id, batch_no, seq)
);

-- Sealed data does not compress: stored as it is.
ALTER TABLE campaign_content ALTER COLUMN sealed SET STORAGE EXTERNAL;
ALTER TABLE batch_recipients ALTER COLUMN sealed SET STORAGE EXTERNAL;
ALTER TABLE batch_results ALTER COLUMN sealed SET STORAGE EXTERNAL;
ALTER TABLE journal ALTER COLUMN sealed SET STORAGE EXTERNAL;

-- The accounts that have batches to claim now or later. Claiming takes the account served longest ago.
CREATE TABLE account_queue (
    account_id bigint PRIMARY KEY,
    next_due timestamptz NOT NULL,
    served_at timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 50);

CREATE TABLE nodes (
    node text PRIMARY KEY,
    started_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL
);

CREATE TABLE domains (
    account_id bigint NOT NULL REFERENCES accounts (account_id),
    domain text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, domain)
);

CREATE TABLE domain_keys (
    account_id bigint NOT NULL,
    domain text NOT NULL,
    selector text NOT NULL,
    algorithm text NOT NULL,
    -- The TXT record of the public key.
    record text NOT NULL,
    sealed bytea NOT NULL,
    position smallint NOT NULL,
    PRIMARY KEY (account_id, domain, selector),
    FOREIGN KEY (account_id, domain) REFERENCES domains ON DELETE CASCADE
);

GRANT SELECT, INSERT, UPDATE ON campaigns TO sluice_app;
GRANT SELECT, INSERT, DELETE ON campaign_content, journal, domain_keys TO sluice_app;
GRANT SELECT, INSERT, UPDATE, DELETE
    ON batches, batch_recipients, batch_results, account_queue, nodes, domains TO sluice_app;
