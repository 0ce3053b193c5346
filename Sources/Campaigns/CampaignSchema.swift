package import Postgres

/// The tables of campaigns in the records database.
///
/// Locks are taken in one order everywhere: the account's row (ledger), campaigns rows, batches rows, each by key, then
/// the rest. Whoever waits holds only locks that come before, so there is no deadlock to retry.
package enum CampaignSchema {
    /// Versions 400–599 beside the vault's. They follow the ledger's, whose accounts they refer to.
    package static let migrations: [Migration] = [
        Migration(version: 400, name: "campaigns", sql: tables),
        Migration(version: 401, name: "delivery of campaigns", sql: functions),
        Migration(version: 402, name: "campaigns of an account take turns", sql: turns),
        Migration(version: 403, name: "shaping of accounts and sites", sql: shaping),
        Migration(version: 410, name: "accounts can be held", sql: holds),
        Migration(version: 412, name: "orders of operators, pace of campaigns", sql: orders),
        Migration(version: 420, name: "reports on TLS", sql: tlsReports),
        Migration(
            version: 421, name: "campaigns may require TLS",
            sql: "ALTER TABLE campaigns ADD COLUMN requires_tls boolean NOT NULL DEFAULT false"),
        Migration(version: 422, name: "MTA-STS policies", sql: mtaSTSPolicies),
        Migration(version: 430, name: "lives of nodes", sql: lives),
        Migration(
            version: 440, name: "campaigns say why they are paused",
            sql: "ALTER TABLE campaigns ADD COLUMN pause_reason text"),
        Migration(version: 450, name: "times of joined retries", sql: retryTimes),
        Migration(version: 451, name: "batches settled in parts, claims at the expiry", sql: parts),
        Migration(
            version: 452, name: "variables that recipients lack",
            sql: """
                -- A LackingVariables under the campaign's key; NULL where no upload found any.
                ALTER TABLE campaign_content ADD COLUMN lacking bytea;
                GRANT UPDATE ON campaign_content TO sluice_app;
                """),
        Migration(version: 460, name: "rests of providers", sql: providerRests),
        Migration(version: 470, name: "source pools of campaigns", sql: sourcePools),
        Migration(
            version: 480, name: "outcomes outlive the end",
            sql: """
                -- Set when all is settled where outcomes are kept: until then they can be read, then the purge is due.
                ALTER TABLE campaigns ADD COLUMN results_until timestamptz;
                -- From the end to that moment, as the operator had set it when the campaign was made.
                ALTER TABLE campaigns ADD COLUMN results_seconds integer NOT NULL DEFAULT 0;
                CREATE INDEX campaigns_ended ON campaigns (results_until)
                    WHERE purged_at IS NULL AND results_until IS NOT NULL;
                DROP INDEX campaigns_unfinished;
                CREATE INDEX campaigns_unfinished ON campaigns (account_id, campaign_id)
                    WHERE purged_at IS NULL AND results_until IS NULL;
                -- There is nothing to claim of campaigns that have ended, and an account may have many of them.
                DO $$
                DECLARE
                    v_function regproc;
                BEGIN
                    FOREACH v_function IN ARRAY ARRAY['claim_batches', 'claim_expired']::regproc[] LOOP
                        EXECUTE replace(
                            pg_get_functiondef(v_function), 'c.purged_at IS NULL',
                            'c.purged_at IS NULL AND c.results_until IS NULL');
                    END LOOP;
                END $$;
                """),
        Migration(
            version: 481, name: "sources of nodes",
            sql: """
                -- Addresses that the node's mail leaves from, as text.
                ALTER TABLE nodes ADD COLUMN sources text[] NOT NULL DEFAULT '{}';
                """),
        Migration(version: 490, name: "blocks of campaigns", sql: blocks),
        Migration(version: 491, name: "warm-up of nodes' sources", sql: nodeSources),
        Migration(version: 500, name: "pauses change only what is at work", sql: cheapPauses),
        Migration(version: 501, name: "claims pass over locked rows", sql: lockedRows),
        Migration(version: 510, name: "journal groups in nobody's way", sql: journalCommits),
        Migration(version: 521, name: "accounts that have a key", sql: expectedKeys),
        Migration(version: 522, name: "claims look at what can be claimed", sql: claims),
        Migration(version: 523, name: "uploads in portions", sql: uploads),
    ]

    /// What providers want nothing from which source, and until when, so that what one node has met stops all. No account
    /// and no recipient. Times are the database's.
    private static let providerRests = """
        CREATE TABLE provider_rests (
            provider text NOT NULL,
            -- An address of ours; empty where the system picks it.
            source text NOT NULL,
            until timestamptz NOT NULL,
            -- Of the reply that decided.
            code integer NOT NULL,
            enhanced text NOT NULL,
            PRIMARY KEY (provider, source));
        GRANT SELECT, INSERT, UPDATE, DELETE ON provider_rests TO sluice_app;
        """

    /// What the domains of receivers have published of their TLS, so that it outlives the nodes that fetched it. No account
    /// and no recipient. Times are the database's.
    private static let mtaSTSPolicies = """
        CREATE TABLE mta_sts_policies (
            domain text PRIMARY KEY,
            -- Of the TXT record that announced the policy.
            id text NOT NULL,
            mode text NOT NULL,
            -- Patterns of mail hosts.
            mx text[] NOT NULL,
            max_age_seconds integer NOT NULL,
            fetched_at timestamptz NOT NULL,
            expires_at timestamptz NOT NULL,
            -- When this row was written: nodes read what is new. One in use is fetched and written every day.
            kept_at timestamptz NOT NULL);
        CREATE INDEX mta_sts_policies_kept ON mta_sts_policies (kept_at);
        CREATE INDEX mta_sts_policies_expiring ON mta_sts_policies (expires_at);
        GRANT SELECT, INSERT, UPDATE, DELETE ON mta_sts_policies TO sluice_app;
        """

    /// What receivers are told of their TLS. Names their domains and mail hosts; no account and no recipient. Times are
    /// seconds since 1970 by the nodes' clocks.
    private static let tlsReports = """
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
        """

    /// The row of a held account is due never, and nothing but a resume changes that: claims need not know of holds.
    private static let holds = """
        ALTER TABLE account_queue ADD COLUMN held_at timestamptz;
        CREATE INDEX account_queue_held ON account_queue (account_id) WHERE held_at IS NOT NULL;

        CREATE OR REPLACE FUNCTION enqueue_account(p_account bigint, p_due timestamptz)
        RETURNS void LANGUAGE sql AS $$
            INSERT INTO account_queue AS q (account_id, next_due) VALUES (p_account, p_due)
            ON CONFLICT (account_id) DO UPDATE SET next_due = excluded.next_due
            WHERE q.next_due > excluded.next_due AND q.held_at IS NULL
        $$;
        """

    private static let tables = """
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
        """

    private static let functions = """
        -- Appends journal groups of several batches and moves the counters with them. One round trip, and the hot path
        -- of delivery. Arrays hold one element per group; at most one group per batch. Groups without effect on a
        -- campaign's counters do not lock its row.
        --
        -- Returns the state of each batch that is still held (1 open, 2 paused, 4 cancelling) with the group's place
        -- in the arrays. For a batch that is not returned nothing was changed: its lease ran out or went to another.
        CREATE FUNCTION append_journal(
            p_node text, p_account bigint[], p_campaign bigint[], p_batch integer[], p_epoch bigint[], p_group bigint[],
            p_sealed bytea[], p_delivered integer[], p_bounced integer[], p_expired integer[], p_suppressed integer[],
            p_invalid integer[], p_cancelled integer[], p_in_doubt integer[], p_deferred integer[], p_resent integer[])
        RETURNS TABLE (place integer, standing smallint)
        -- Statistics lag behind a table that grows in seconds; a plan made for a small one must not be kept.
        LANGUAGE plpgsql SET enable_seqscan = off AS $$
        DECLARE
            v_campaign record;
            v_group integer;
            v_applied integer[] := '{}';
        BEGIN
            FOR v_campaign IN
                SELECT DISTINCT p_account[n] AS account_id, p_campaign[n] AS campaign_id
                FROM generate_subscripts(p_account, 1) AS n
                WHERE p_delivered[n] <> 0 OR p_bounced[n] <> 0 OR p_expired[n] <> 0 OR p_suppressed[n] <> 0
                    OR p_invalid[n] <> 0 OR p_cancelled[n] <> 0 OR p_in_doubt[n] <> 0 OR p_deferred[n] <> 0
                    OR p_resent[n] <> 0
                ORDER BY 1, 2
            LOOP
                PERFORM FROM campaigns c
                WHERE c.account_id = v_campaign.account_id AND c.campaign_id = v_campaign.campaign_id
                FOR NO KEY UPDATE;
            END LOOP;

            FOR v_group IN
                SELECT n FROM generate_subscripts(p_account, 1) AS n ORDER BY p_account[n], p_campaign[n], p_batch[n]
            LOOP
                place := v_group;
                UPDATE batches b
                SET finished = b.finished + p_delivered[v_group] + p_bounced[v_group] + p_expired[v_group]
                        + p_suppressed[v_group] + p_invalid[v_group] + p_cancelled[v_group] + p_in_doubt[v_group],
                    delivered = b.delivered + p_delivered[v_group],
                    deferred = b.deferred + p_deferred[v_group],
                    last_group = p_group[v_group]
                WHERE b.account_id = p_account[v_group] AND b.campaign_id = p_campaign[v_group]
                    AND b.batch_no = p_batch[v_group] AND b.epoch = p_epoch[v_group] AND b.lease_node = p_node
                    AND b.lease_until > clock_timestamp() AND b.state IN (1, 2, 4)
                    AND b.last_group < p_group[v_group] AND octet_length(p_sealed[v_group]) > 0
                RETURNING b.state INTO standing;
                IF FOUND THEN
                    v_applied := v_applied || v_group;
                    RETURN NEXT;
                    CONTINUE;
                END IF;
                -- Nothing to apply: applied before, or empty, or the lease was lost.
                SELECT b.state INTO standing FROM batches b
                WHERE b.account_id = p_account[v_group] AND b.campaign_id = p_campaign[v_group]
                    AND b.batch_no = p_batch[v_group] AND b.epoch = p_epoch[v_group] AND b.lease_node = p_node
                    AND b.lease_until > clock_timestamp() AND b.state IN (1, 2, 4);
                IF FOUND THEN RETURN NEXT; END IF;
            END LOOP;

            INSERT INTO journal (account_id, campaign_id, batch_no, epoch, sealed)
            SELECT p_account[n], p_campaign[n], p_batch[n], p_epoch[n], p_sealed[n] FROM unnest(v_applied) AS n;

            FOR v_campaign IN
                SELECT p_account[n] AS account_id, p_campaign[n] AS campaign_id,
                    sum(p_delivered[n]) AS delivered, sum(p_bounced[n]) AS bounced, sum(p_expired[n]) AS expired,
                    sum(p_suppressed[n]) AS suppressed, sum(p_invalid[n]) AS invalid,
                    sum(p_cancelled[n]) AS cancelled, sum(p_in_doubt[n]) AS in_doubt,
                    sum(p_deferred[n]) AS deferred, sum(p_resent[n]) AS resent
                FROM unnest(v_applied) AS n
                WHERE p_delivered[n] <> 0 OR p_bounced[n] <> 0 OR p_expired[n] <> 0 OR p_suppressed[n] <> 0
                    OR p_invalid[n] <> 0 OR p_cancelled[n] <> 0 OR p_in_doubt[n] <> 0 OR p_deferred[n] <> 0
                    OR p_resent[n] <> 0
                GROUP BY 1, 2
            LOOP
                UPDATE campaigns c
                SET delivered = c.delivered + v_campaign.delivered, bounced = c.bounced + v_campaign.bounced,
                    expired = c.expired + v_campaign.expired, suppressed = c.suppressed + v_campaign.suppressed,
                    invalid = c.invalid + v_campaign.invalid, cancelled = c.cancelled + v_campaign.cancelled,
                    in_doubt = c.in_doubt + v_campaign.in_doubt, deferred = c.deferred + v_campaign.deferred,
                    in_doubt_resent = c.in_doubt_resent + v_campaign.resent
                WHERE c.account_id = v_campaign.account_id AND c.campaign_id = v_campaign.campaign_id;
            END LOOP;
        END $$;

        -- Puts an account's next due time to `p_due` if that is earlier.
        CREATE FUNCTION enqueue_account(p_account bigint, p_due timestamptz) RETURNS void LANGUAGE sql AS $$
            INSERT INTO account_queue AS q (account_id, next_due) VALUES (p_account, p_due)
            ON CONFLICT (account_id) DO UPDATE SET next_due = excluded.next_due WHERE q.next_due > excluded.next_due
        $$;

        -- Ends the leases that an earlier life of a node left, and has their accounts looked at.
        CREATE FUNCTION free_leases(p_node text) RETURNS void LANGUAGE plpgsql AS $$
        DECLARE
            v_accounts bigint[];
        BEGIN
            WITH left_over AS (
                SELECT b.account_id, b.campaign_id, b.batch_no FROM batches b WHERE b.lease_node = p_node
                ORDER BY b.account_id, b.campaign_id, b.batch_no FOR NO KEY UPDATE)
            SELECT array_agg(DISTINCT left_over.account_id ORDER BY left_over.account_id) INTO v_accounts
            FROM left_over;
            UPDATE batches b SET lease_until = clock_timestamp()
            WHERE b.lease_node = p_node AND b.lease_until > clock_timestamp();
            PERFORM enqueue_account(a, clock_timestamp()) FROM unnest(v_accounts) AS a;
        END $$;

        -- Leases up to `p_limit` due batches to a node, for at least one batch of each due account before a second of
        -- any, starting with the account served longest ago. Locks held by others are never waited for.
        CREATE FUNCTION claim_batches(p_node text, p_seconds double precision, p_limit integer)
        RETURNS TABLE (
            account_id bigint, campaign_id bigint, batch_no integer, epoch bigint, state smallint, attempt integer)
        LANGUAGE plpgsql SET enable_seqscan = off AS $$
        #variable_conflict use_column
        DECLARE
            v_accounts bigint[];
            v_filled bigint[];
            v_left integer := p_limit;
            v_share integer;
            v_count integer;
            v_next timestamptz;
        BEGIN
            SELECT array_agg(q.account_id) INTO v_accounts
            FROM (
                SELECT a.account_id FROM account_queue a WHERE a.next_due <= clock_timestamp()
                ORDER BY a.served_at, a.account_id LIMIT p_limit FOR UPDATE SKIP LOCKED) q;

            WHILE v_left > 0 AND cardinality(v_accounts) > 0 LOOP
                v_filled := '{}';
                FOR place IN 1 .. cardinality(v_accounts) LOOP
                    EXIT WHEN v_left = 0;
                    v_share := ceil(v_left::numeric / (cardinality(v_accounts) - place + 1));
                    RETURN QUERY
                        WITH picked AS (
                            SELECT b.campaign_id, b.batch_no FROM batches b
                            WHERE b.account_id = v_accounts[place] AND b.state IN (1, 4)
                                AND b.due_at <= clock_timestamp()
                                AND (b.lease_until IS NULL OR b.lease_until <= clock_timestamp())
                            ORDER BY b.due_at, b.campaign_id, b.batch_no
                            LIMIT v_share
                            FOR NO KEY UPDATE SKIP LOCKED)
                        UPDATE batches b
                        SET lease_node = p_node, lease_until = clock_timestamp() + make_interval(secs => p_seconds),
                            epoch = b.epoch + 1, last_group = 0
                        FROM picked
                        WHERE b.account_id = v_accounts[place] AND b.campaign_id = picked.campaign_id
                            AND b.batch_no = picked.batch_no
                        RETURNING b.account_id, b.campaign_id, b.batch_no, b.epoch, b.state, b.attempt;
                    GET DIAGNOSTICS v_count = ROW_COUNT;
                    v_left := v_left - v_count;
                    IF v_count = v_share THEN
                        v_filled := v_filled || v_accounts[place];
                        UPDATE account_queue q SET served_at = clock_timestamp()
                        WHERE q.account_id = v_accounts[place];
                    ELSE
                        -- Nothing more is due now: when is something again, counting leases that may run out?
                        SELECT min(greatest(b.due_at, b.lease_until)) INTO v_next
                        FROM batches b WHERE b.account_id = v_accounts[place] AND b.state IN (1, 4);
                        IF v_next IS NULL THEN
                            DELETE FROM account_queue q WHERE q.account_id = v_accounts[place];
                        ELSE
                            UPDATE account_queue q SET next_due = v_next, served_at = clock_timestamp()
                            WHERE q.account_id = v_accounts[place];
                        END IF;
                    END IF;
                END LOOP;
                v_accounts := v_filled;
            END LOOP;
        END $$;

        -- The first claim of a campaign's batch starts it. A transaction of its own, after the claim: campaigns rows
        -- come before batches rows in the order of locks.
        CREATE FUNCTION start_campaigns(p_account bigint[], p_campaign bigint[]) RETURNS void LANGUAGE plpgsql AS $$
        DECLARE
            v_campaign record;
        BEGIN
            FOR v_campaign IN
                SELECT c.account_id, c.campaign_id FROM campaigns c
                WHERE (c.account_id, c.campaign_id) IN (SELECT * FROM unnest(p_account, p_campaign))
                    AND c.state IN ('queued', 'scheduled')
                ORDER BY c.account_id, c.campaign_id
                FOR NO KEY UPDATE
            LOOP
                UPDATE campaigns c SET state = 'sending', started_at = clock_timestamp()
                WHERE c.account_id = v_campaign.account_id AND c.campaign_id = v_campaign.campaign_id;
                PERFORM pg_notify('sluice_progress', v_campaign.account_id || '/' || v_campaign.campaign_id);
            END LOOP;
        END $$;

        -- Extends leases that still hold. Returns their places in the arrays.
        CREATE FUNCTION renew_leases(
            p_node text, p_seconds double precision, p_account bigint[], p_campaign bigint[], p_batch integer[],
            p_epoch bigint[])
        RETURNS TABLE (place integer) LANGUAGE plpgsql SET enable_seqscan = off AS $$
        BEGIN
            FOR place IN
                SELECT n FROM generate_subscripts(p_account, 1) AS n ORDER BY p_account[n], p_campaign[n], p_batch[n]
            LOOP
                UPDATE batches b SET lease_until = clock_timestamp() + make_interval(secs => p_seconds)
                WHERE b.account_id = p_account[place] AND b.campaign_id = p_campaign[place]
                    AND b.batch_no = p_batch[place] AND b.epoch = p_epoch[place] AND b.lease_node = p_node
                    AND b.lease_until > clock_timestamp() AND b.state IN (1, 2, 4);
                IF FOUND THEN RETURN NEXT; END IF;
            END LOOP;
            UPDATE nodes SET seen_at = clock_timestamp() WHERE node = p_node;
        END $$;

        GRANT EXECUTE ON FUNCTION
            append_journal(text, bigint[], bigint[], integer[], bigint[], bigint[], bytea[], integer[], integer[],
                integer[], integer[], integer[], integer[], integer[], integer[], integer[]),
            enqueue_account(bigint, timestamptz),
            free_leases(text),
            claim_batches(text, double precision, integer),
            start_campaigns(bigint[], bigint[]),
            renew_leases(text, double precision, bigint[], bigint[], integer[], bigint[])
        TO sluice_app;
        """

    private static let turns = """
        CREATE INDEX batches_campaign_due ON batches (account_id, campaign_id, due_at, batch_no) WHERE state IN (1, 4);
        DROP INDEX batches_due;

        -- As before, and of one account's campaigns the one comes first that has the fewest batches at work: a small
        -- campaign overtakes a large one.
        CREATE OR REPLACE FUNCTION claim_batches(p_node text, p_seconds double precision, p_limit integer)
        RETURNS TABLE (
            account_id bigint, campaign_id bigint, batch_no integer, epoch bigint, state smallint, attempt integer)
        LANGUAGE plpgsql SET enable_seqscan = off AS $$
        #variable_conflict use_column
        DECLARE
            v_accounts bigint[];
            v_filled bigint[];
            v_left integer := p_limit;
            v_share integer;
            v_count integer;
            v_next timestamptz;
        BEGIN
            SELECT array_agg(q.account_id) INTO v_accounts
            FROM (
                SELECT a.account_id FROM account_queue a WHERE a.next_due <= clock_timestamp()
                ORDER BY a.served_at, a.account_id LIMIT p_limit FOR UPDATE SKIP LOCKED) q;

            WHILE v_left > 0 AND cardinality(v_accounts) > 0 LOOP
                v_filled := '{}';
                FOR place IN 1 .. cardinality(v_accounts) LOOP
                    EXIT WHEN v_left = 0;
                    v_share := ceil(v_left::numeric / (cardinality(v_accounts) - place + 1));
                    RETURN QUERY
                        WITH active AS (
                            SELECT b.campaign_id, count(*) AS batches FROM batches b
                            WHERE b.account_id = v_accounts[place] AND b.lease_node IS NOT NULL
                                AND b.lease_until > clock_timestamp()
                            GROUP BY b.campaign_id),
                        ranked AS (
                            SELECT f.campaign_id, f.batch_no, f.due_at,
                                coalesce(active.batches, 0)
                                    + row_number() OVER (PARTITION BY f.campaign_id ORDER BY f.due_at, f.batch_no)
                                    AS turn
                            FROM campaigns c
                            CROSS JOIN LATERAL (
                                SELECT b.campaign_id, b.batch_no, b.due_at FROM batches b
                                WHERE b.account_id = v_accounts[place] AND b.campaign_id = c.campaign_id
                                    AND b.state IN (1, 4) AND b.due_at <= clock_timestamp()
                                    AND (b.lease_until IS NULL OR b.lease_until <= clock_timestamp())
                                ORDER BY b.due_at, b.batch_no LIMIT v_share) f
                            LEFT JOIN active ON active.campaign_id = f.campaign_id
                            WHERE c.account_id = v_accounts[place] AND c.purged_at IS NULL
                                AND c.state IN ('scheduled', 'queued', 'sending', 'cancelled')),
                        picked AS (
                            SELECT b.campaign_id, b.batch_no
                            FROM ranked r
                            JOIN batches b ON b.account_id = v_accounts[place] AND b.campaign_id = r.campaign_id
                                AND b.batch_no = r.batch_no
                            WHERE b.state IN (1, 4) AND b.due_at <= clock_timestamp()
                                AND (b.lease_until IS NULL OR b.lease_until <= clock_timestamp())
                            ORDER BY r.turn, r.due_at, r.campaign_id, r.batch_no
                            LIMIT v_share
                            FOR NO KEY UPDATE OF b SKIP LOCKED)
                        UPDATE batches b
                        SET lease_node = p_node, lease_until = clock_timestamp() + make_interval(secs => p_seconds),
                            epoch = b.epoch + 1, last_group = 0
                        FROM picked
                        WHERE b.account_id = v_accounts[place] AND b.campaign_id = picked.campaign_id
                            AND b.batch_no = picked.batch_no
                        RETURNING b.account_id, b.campaign_id, b.batch_no, b.epoch, b.state, b.attempt;
                    GET DIAGNOSTICS v_count = ROW_COUNT;
                    v_left := v_left - v_count;
                    IF v_count = v_share THEN
                        v_filled := v_filled || v_accounts[place];
                        UPDATE account_queue q SET served_at = clock_timestamp()
                        WHERE q.account_id = v_accounts[place];
                    ELSE
                        -- Nothing more is due now: when is something again, counting leases that may run out?
                        SELECT min(greatest(b.due_at, b.lease_until)) INTO v_next
                        FROM batches b WHERE b.account_id = v_accounts[place] AND b.state IN (1, 4);
                        IF v_next IS NULL THEN
                            DELETE FROM account_queue q WHERE q.account_id = v_accounts[place];
                        ELSE
                            UPDATE account_queue q SET next_due = v_next, served_at = clock_timestamp()
                            WHERE q.account_id = v_accounts[place];
                        END IF;
                    END IF;
                END LOOP;
                v_accounts := v_filled;
            END LOOP;
        END $$;

        -- Takes back the batches that an earlier life of this node held and nobody has claimed since, so that what it
        -- knew of them can still be journalled. Returns their places in the arrays.
        CREATE FUNCTION adopt_leases(
            p_node text, p_seconds double precision, p_account bigint[], p_campaign bigint[], p_batch integer[],
            p_epoch bigint[])
        RETURNS TABLE (place integer) LANGUAGE plpgsql SET enable_seqscan = off AS $$
        BEGIN
            FOR place IN
                SELECT n FROM generate_subscripts(p_account, 1) AS n ORDER BY p_account[n], p_campaign[n], p_batch[n]
            LOOP
                UPDATE batches b
                SET lease_until = clock_timestamp() + make_interval(secs => p_seconds), last_group = 0
                WHERE b.account_id = p_account[place] AND b.campaign_id = p_campaign[place]
                    AND b.batch_no = p_batch[place] AND b.epoch = p_epoch[place] AND b.lease_node = p_node
                    AND b.state IN (1, 2, 4);
                IF FOUND THEN RETURN NEXT; END IF;
            END LOOP;
        END $$;

        GRANT EXECUTE ON FUNCTION
            adopt_leases(text, double precision, bigint[], bigint[], integer[], bigint[]) TO sluice_app;
        """

    private static let lives = """
        -- Names the process that has the node's name, or had it last, as its own files name it.
        ALTER TABLE nodes ADD COLUMN life text NOT NULL DEFAULT '';

        -- Takes back for a node what its earlier life had leased and nobody has claimed since.
        CREATE FUNCTION adopt_leases(p_node text, p_seconds double precision)
        RETURNS TABLE (account_id bigint, campaign_id bigint, batch_no integer, epoch bigint)
        LANGUAGE sql SET enable_seqscan = off AS $$
            WITH held AS (
                SELECT h.account_id, h.campaign_id, h.batch_no FROM batches h
                WHERE h.lease_node = p_node AND h.state IN (1, 2, 4)
                ORDER BY h.account_id, h.campaign_id, h.batch_no FOR NO KEY UPDATE)
            UPDATE batches b
            SET lease_until = clock_timestamp() + make_interval(secs => p_seconds), last_group = 0
            FROM held
            WHERE (b.account_id, b.campaign_id, b.batch_no) = (held.account_id, held.campaign_id, held.batch_no)
            RETURNING b.account_id, b.campaign_id, b.batch_no, b.epoch
        $$;
        DROP FUNCTION adopt_leases(text, double precision, bigint[], bigint[], integer[], bigint[]);

        -- As before, and the batches are nobody's then: the life after the next must not take them for its own.
        CREATE OR REPLACE FUNCTION free_leases(p_node text) RETURNS void LANGUAGE sql SET enable_seqscan = off AS $$
            WITH held AS (
                SELECT h.account_id, h.campaign_id, h.batch_no FROM batches h WHERE h.lease_node = p_node
                ORDER BY h.account_id, h.campaign_id, h.batch_no FOR NO KEY UPDATE),
            freed AS (
                UPDATE batches b SET lease_node = NULL, lease_until = NULL
                FROM held
                WHERE (b.account_id, b.campaign_id, b.batch_no) = (held.account_id, held.campaign_id, held.batch_no)
                RETURNING b.account_id)
            SELECT enqueue_account(account_id, clock_timestamp())
            FROM (SELECT DISTINCT account_id FROM freed ORDER BY account_id) AS accounts
        $$;

        GRANT EXECUTE ON FUNCTION adopt_leases(text, double precision) TO sluice_app;
        """

    private static let shaping = """
        -- What the operator has set for an account; accounts without a row have the defaults.
        CREATE TABLE account_shaping (
            account_id bigint PRIMARY KEY REFERENCES accounts (account_id),
            -- Its share where accounts compete.
            weight integer NOT NULL DEFAULT 1 CHECK (weight BETWEEN 1 AND 1000),
            -- Mails a second, all sites together; NULL without a cap.
            rate double precision CHECK (rate > 0),
            -- The pool of source addresses that its mail leaves from; NULL for the default pool.
            pool text CHECK (pool <> '')
        );

        -- One bucket for each limited site and source address, shared by all nodes.
        CREATE TABLE site_tokens (
            site text PRIMARY KEY,
            tokens double precision NOT NULL,
            refilled_at timestamptz NOT NULL
        ) WITH (fillfactor = 50);

        -- What each source that warms up has sent to each provider on a day (UTC).
        CREATE TABLE source_usage (
            source text NOT NULL,
            provider text NOT NULL,
            day integer NOT NULL,
            sent bigint NOT NULL,
            PRIMARY KEY (source, provider, day)
        ) WITH (fillfactor = 50);

        -- Grants up to `p_wanted` whole tokens of a bucket that fills at `p_rate` a second up to `p_burst`.
        CREATE FUNCTION lease_site_tokens(
            p_site text, p_rate double precision, p_burst double precision, p_wanted integer)
        RETURNS integer LANGUAGE plpgsql AS $$
        DECLARE
            v_tokens double precision;
            v_granted integer;
        BEGIN
            INSERT INTO site_tokens (site, tokens, refilled_at) VALUES (p_site, p_burst, clock_timestamp())
            ON CONFLICT DO NOTHING;
            SELECT least(p_burst, t.tokens
                + greatest(0, extract(epoch FROM clock_timestamp() - t.refilled_at)) * p_rate)
            INTO v_tokens FROM site_tokens t WHERE t.site = p_site FOR UPDATE;
            v_granted := greatest(0, least(p_wanted, floor(v_tokens)::integer));
            UPDATE site_tokens t SET tokens = v_tokens - v_granted, refilled_at = clock_timestamp()
            WHERE t.site = p_site;
            RETURN v_granted;
        END $$;

        -- Says that the node lives; returns how many do.
        CREATE FUNCTION heartbeat(p_node text, p_seconds double precision) RETURNS integer LANGUAGE plpgsql AS $$
        BEGIN
            UPDATE nodes SET seen_at = clock_timestamp() WHERE node = p_node;
            RETURN (SELECT count(*) FROM nodes WHERE seen_at > clock_timestamp() - make_interval(secs => p_seconds));
        END $$;

        -- As before, without the accounts in `p_waiting`, which have reached the cap of their rate.
        CREATE FUNCTION claim_batches(
            p_node text, p_seconds double precision, p_limit integer, p_waiting bigint[])
        RETURNS TABLE (
            account_id bigint, campaign_id bigint, batch_no integer, epoch bigint, state smallint, attempt integer)
        LANGUAGE plpgsql SET enable_seqscan = off AS $$
        #variable_conflict use_column
        DECLARE
            v_accounts bigint[];
            v_filled bigint[];
            v_left integer := p_limit;
            v_share integer;
            v_count integer;
            v_next timestamptz;
        BEGIN
            SELECT array_agg(q.account_id) INTO v_accounts
            FROM (
                SELECT a.account_id FROM account_queue a WHERE a.next_due <= clock_timestamp() AND a.account_id <> ALL (p_waiting)
                ORDER BY a.served_at, a.account_id LIMIT p_limit FOR UPDATE SKIP LOCKED) q;

            WHILE v_left > 0 AND cardinality(v_accounts) > 0 LOOP
                v_filled := '{}';
                FOR place IN 1 .. cardinality(v_accounts) LOOP
                    EXIT WHEN v_left = 0;
                    v_share := ceil(v_left::numeric / (cardinality(v_accounts) - place + 1));
                    RETURN QUERY
                        WITH active AS (
                            SELECT b.campaign_id, count(*) AS batches FROM batches b
                            WHERE b.account_id = v_accounts[place] AND b.lease_node IS NOT NULL
                                AND b.lease_until > clock_timestamp()
                            GROUP BY b.campaign_id),
                        ranked AS (
                            SELECT f.campaign_id, f.batch_no, f.due_at,
                                coalesce(active.batches, 0)
                                    + row_number() OVER (PARTITION BY f.campaign_id ORDER BY f.due_at, f.batch_no)
                                    AS turn
                            FROM campaigns c
                            CROSS JOIN LATERAL (
                                SELECT b.campaign_id, b.batch_no, b.due_at FROM batches b
                                WHERE b.account_id = v_accounts[place] AND b.campaign_id = c.campaign_id
                                    AND b.state IN (1, 4) AND b.due_at <= clock_timestamp()
                                    AND (b.lease_until IS NULL OR b.lease_until <= clock_timestamp())
                                ORDER BY b.due_at, b.batch_no LIMIT v_share) f
                            LEFT JOIN active ON active.campaign_id = f.campaign_id
                            WHERE c.account_id = v_accounts[place] AND c.purged_at IS NULL
                                AND c.state IN ('scheduled', 'queued', 'sending', 'cancelled')),
                        picked AS (
                            SELECT b.campaign_id, b.batch_no
                            FROM ranked r
                            JOIN batches b ON b.account_id = v_accounts[place] AND b.campaign_id = r.campaign_id
                                AND b.batch_no = r.batch_no
                            WHERE b.state IN (1, 4) AND b.due_at <= clock_timestamp()
                                AND (b.lease_until IS NULL OR b.lease_until <= clock_timestamp())
                            ORDER BY r.turn, r.due_at, r.campaign_id, r.batch_no
                            LIMIT v_share
                            FOR NO KEY UPDATE OF b SKIP LOCKED)
                        UPDATE batches b
                        SET lease_node = p_node, lease_until = clock_timestamp() + make_interval(secs => p_seconds),
                            epoch = b.epoch + 1, last_group = 0
                        FROM picked
                        WHERE b.account_id = v_accounts[place] AND b.campaign_id = picked.campaign_id
                            AND b.batch_no = picked.batch_no
                        RETURNING b.account_id, b.campaign_id, b.batch_no, b.epoch, b.state, b.attempt;
                    GET DIAGNOSTICS v_count = ROW_COUNT;
                    v_left := v_left - v_count;
                    IF v_count = v_share THEN
                        v_filled := v_filled || v_accounts[place];
                        UPDATE account_queue q SET served_at = clock_timestamp()
                        WHERE q.account_id = v_accounts[place];
                    ELSE
                        -- Nothing more is due now: when is something again, counting leases that may run out?
                        SELECT min(greatest(b.due_at, b.lease_until)) INTO v_next
                        FROM batches b WHERE b.account_id = v_accounts[place] AND b.state IN (1, 4);
                        IF v_next IS NULL THEN
                            DELETE FROM account_queue q WHERE q.account_id = v_accounts[place];
                        ELSE
                            UPDATE account_queue q SET next_due = v_next, served_at = clock_timestamp()
                            WHERE q.account_id = v_accounts[place];
                        END IF;
                    END IF;
                END LOOP;
                v_accounts := v_filled;
            END LOOP;
        END $$;

        DROP FUNCTION claim_batches(text, double precision, integer);
        GRANT SELECT, INSERT, UPDATE, DELETE ON account_shaping, site_tokens, source_usage TO sluice_app;
        GRANT EXECUTE ON FUNCTION
            claim_batches(text, double precision, integer, bigint[]),
            lease_site_tokens(text, double precision, double precision, integer),
            heartbeat(text, double precision)
        TO sluice_app;
        """
}
