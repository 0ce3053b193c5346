package import Postgres

/// The tables of webhooks. They follow the ledger's, whose accounts they refer to.
package enum WebhookSchema {
    /// Versions 650–659.
    package static let migrations = [
        Migration(version: 650, name: "webhooks", file: PackageResources._50_webhooks_sql),
        Migration(version: 651, name: "lighter packs", file: PackageResources._51_lighter_packs_sql),
    ]
}
