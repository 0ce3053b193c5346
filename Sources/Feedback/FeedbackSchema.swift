package import Postgres

/// The tables of suppressions and of what came back. They follow the ledger's, whose accounts they refer to.
package enum FeedbackSchema {
    /// Versions 300–399, 600–629, 670–679, and 691.
    package static let migrations = [
        Migration(version: 300, name: "suppressions", file: PackageResources._00_suppressions_sql),
        Migration(version: 340, name: "addresses found dead", file: PackageResources._40_dead_addresses_sql),
        Migration(version: 600, name: "facts that came back", file: PackageResources._00_feedback_facts_sql),
        Migration(version: 614, name: "facts by age", file: PackageResources._14_old_facts_sql),
        Migration(
            version: 615, name: "addresses of suppressions, and those of all accounts",
            file: PackageResources._15_sealed_addresses_sql),
        // By itself: it reads the whole table.
        Migration(
            version: 616, name: "suppressions by reason", file: PackageResources._16_suppressions_by_reason_sql),
        Migration(version: 670, name: "feedback by the hour", file: PackageResources._70_feedback_hours_sql),
        Migration(
            version: 691, name: "feedback by mailbox provider", file: PackageResources._91_feedback_by_provider_sql),
        Migration(version: 733, name: "isolated feedback", file: PackageResources._33_isolated_feedback_sql),
    ]
}
