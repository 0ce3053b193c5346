package import Postgres

/// The tables of webhooks. They follow the ledger's, whose accounts they refer to.
package enum WebhookSchema {
    /// Versions 650–659 and 736.
    package static let migrations = [
        Migration(version: 650, name: "webhooks", file: PackageResources._50_webhooks_sql),
        Migration(version: 651, name: "lighter packs", file: PackageResources._51_lighter_packs_sql),
        Migration(version: 736, name: "isolated webhooks", file: PackageResources._36_isolated_webhooks_sql),
    ]
}
