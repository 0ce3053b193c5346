package import Postgres

/// The tables of suppressions and of what came back. They follow the ledger's, whose accounts they refer to.
package enum FeedbackSchema {
    /// Versions 300–399, 600–629, and 670–679.
    package static let migrations = [
        Migration(version: 300, name: "suppressions", file: PackageResources._00_suppressions_sql),
        Migration(version: 340, name: "addresses found dead", file: PackageResources._40_dead_addresses_sql),
        Migration(version: 600, name: "facts that came back", file: PackageResources._00_feedback_facts_sql),
        Migration(version: 670, name: "feedback by the hour", file: PackageResources._70_feedback_hours_sql),
    ]
}
