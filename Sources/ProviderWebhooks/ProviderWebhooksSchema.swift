package import Postgres

/// The tables of providers' webhooks.
package enum ProviderWebhooksSchema {
    /// Versions 640–649.
    package static let migrations = [
        Migration(version: 640, name: "webhooks of providers", file: PackageResources._40_provider_webhooks_sql)
    ]
}
