package import Postgres

/// The table of suppressions. It follows the ledger's, whose accounts it refers to.
package enum FeedbackSchema {
    /// Versions 300–399.
    package static let migrations = [
        Migration(version: 300, name: "suppressions", file: PackageResources._00_suppressions_sql),
        Migration(version: 340, name: "addresses found dead", file: PackageResources._40_dead_addresses_sql),
    ]
}
