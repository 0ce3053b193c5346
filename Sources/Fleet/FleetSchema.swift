package import Postgres

/// What nodes tell each other. A version that also changed what is claimed is in the schema of campaigns: 400 made `nodes`,
/// 403 what limits and shapes, 430 the incarnations.
package enum FleetSchema {
    /// Versions that lie among those of the campaigns, which made the first tables.
    package static let migrations = [
        // What providers want nothing from which source, and until when, so that what one node has met stops all. No
        // account and no recipient. Times are the database's.
        Migration(version: 460, name: "rests of providers", file: PackageResources._60_provider_rests_sql),
        Migration(version: 481, name: "sources of nodes", file: PackageResources._81_node_sources_sql),
        Migration(version: 491, name: "warm-up of nodes' sources", file: PackageResources._91_warm_up_sql),
        Migration(version: 595, name: "sources that receivers see", file: PackageResources._95_seen_sources_sql),
        Migration(version: 734, name: "isolated shaping", file: PackageResources._34_isolated_shaping_sql),
        Migration(version: 741, name: "limits of accounts", file: PackageResources._41_account_limits_sql),
        Migration(version: 742, name: "isolated limits", file: PackageResources._42_isolated_limits_sql),
        Migration(
            version: 753, name: "a limit within a transaction", file: PackageResources._53_account_limit_sql),
    ]
}
