package import Postgres

/// The tables of campaigns in the records database.
///
/// Locks are taken in one order everywhere: the account's row (ledger), campaigns rows, batches rows, each by key, then
/// the rest. Whoever waits holds only locks that come before, so there is no deadlock to retry.
package enum CampaignSchema {
    /// Versions 400–599, 613, 660–669, 690, 692, 712, 737, 745 and 752, beside those of the vault, of Fleet, TLSPolicies and
    /// SendingDomains. They follow the ledger's, whose accounts they refer to.
    package static let migrations = [
        Migration(version: 400, name: "campaigns", file: PackageResources._00_campaigns_sql),
        Migration(version: 401, name: "delivery of campaigns", file: PackageResources._01_delivery_sql),
        Migration(version: 402, name: "campaigns of an account take turns", file: PackageResources._02_turns_sql),
        Migration(version: 403, name: "shaping of accounts and sites", file: PackageResources._03_shaping_sql),
        // The row of a held account is due never, and nothing but a resume changes that: claims need not know of holds.
        Migration(version: 410, name: "accounts can be held", file: PackageResources._10_holds_sql),
        // What operators order, and the pace of campaigns: both decide what is claimed.
        Migration(version: 412, name: "orders of operators, pace of campaigns", file: PackageResources._12_orders_sql),
        Migration(version: 421, name: "campaigns may require TLS", file: PackageResources._21_requires_tls_sql),
        Migration(version: 430, name: "lives of nodes", file: PackageResources._30_lives_sql),
        Migration(version: 440, name: "campaigns say why they are paused", file: PackageResources._40_pause_reason_sql),
        Migration(version: 450, name: "times of joined retries", file: PackageResources._50_retry_times_sql),
        Migration(
            version: 451, name: "batches settled in parts, claims at the expiry", file: PackageResources._51_parts_sql),
        Migration(
            version: 452, name: "variables that recipients lack", file: PackageResources._52_lacking_variables_sql),
        Migration(version: 470, name: "source pools of campaigns", file: PackageResources._70_source_pools_sql),
        Migration(version: 480, name: "outcomes outlive the end", file: PackageResources._80_results_sql),
        Migration(version: 490, name: "blocks of campaigns", file: PackageResources._90_blocks_sql),
        // A pause changes only the batches at work: claims pass over a paused campaign by its own state.
        Migration(
            version: 500, name: "pauses change only what is at work", file: PackageResources._00_cheap_pauses_sql),
        // What all accounts' mail waits for does not wait for a row that somebody holds.
        Migration(version: 501, name: "claims pass over locked rows", file: PackageResources._01_locked_rows_sql),
        // What nodes write under their claims. A claim is worth its epoch: whoever claims a batch raises it, and a
        // cancellation of a batch that nobody works on changes its state. So answers count however late they come; only
        // to begin with a mail the lease must not have run out. The functions before these stay for nodes of the
        // release before.
        Migration(version: 510, name: "journal groups in nobody's way", file: PackageResources._10_journal_commits_sql),
        // The keys of accounts were made on first use: whoever has anything sealed, or any address kept, must have one.
        Migration(version: 521, name: "accounts that have a key", file: PackageResources._21_expected_keys_sql),
        // Claims walk the campaigns that can have batches to claim, and of each the first batches that are due.
        Migration(version: 522, name: "claims look at what can be claimed", file: PackageResources._22_claims_sql),
        Migration(version: 523, name: "uploads in portions", file: PackageResources._23_uploads_sql),
        Migration(version: 560, name: "purges by older nodes", file: PackageResources._60_older_purges_sql),
        // Sweeps look at what there is to do, and not at all that is kept.
        Migration(
            version: 570, name: "retries are found among all batches", file: PackageResources._70_retries_to_join_sql),
        // What a claim costs does not depend on how many plans its session has made, nor on accounts with nothing due.
        Migration(version: 590, name: "claims keep their plans", file: PackageResources._90_planned_claims_sql),
        Migration(version: 591, name: "accounts by what is due", file: PackageResources._91_due_accounts_sql),
        Migration(
            version: 592, name: "due batches have one index", file: PackageResources._92_one_index_of_due_batches_sql),
        // Who may be refunded, when, and what is still to be given.
        Migration(version: 613, name: "refunds of campaigns", file: PackageResources._13_refunds_sql),
        Migration(
            version: 660, name: "outcomes have an order and a time", file: PackageResources._60_order_of_outcomes_sql),
        Migration(version: 661, name: "reasons of campaigns", file: PackageResources._61_reasons_of_campaigns_sql),
        Migration(version: 662, name: "brakes of campaigns", file: PackageResources._62_brakes_sql),
        Migration(version: 690, name: "refunds by account", file: PackageResources._90_account_refunds_sql),
        Migration(version: 692, name: "brakes by mailbox provider", file: PackageResources._92_brake_provider_sql),
        // A round trip less for each commit of mail that somebody is told of.
        Migration(
            version: 712, name: "journal and events in one statement",
            file: PackageResources._12_journal_with_events_sql),
        Migration(version: 737, name: "isolated campaigns", file: PackageResources._37_isolated_campaigns_sql),
        // Apart from that of live mail, whose claims stay as they are.
        Migration(version: 745, name: "queue of test mail", file: PackageResources._45_test_queue_sql),
        Migration(version: 752, name: "suspended accounts", file: PackageResources._52_suspended_accounts_sql),
    ]
}
