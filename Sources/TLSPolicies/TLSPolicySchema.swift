package import Postgres

/// What receivers have published of their TLS, and what they are told of it. No account and no recipient.
package enum TLSPolicySchema {
    /// Versions that lie among those of the campaigns.
    package static let migrations = [
        // Names the domains of receivers and their mail hosts. Times are seconds since 1970 by the nodes' clocks.
        Migration(version: 420, name: "reports on TLS", file: PackageResources._20_tls_reports_sql),
        // It outlives the nodes that fetched it. Times are the database's.
        Migration(version: 422, name: "MTA-STS policies", file: PackageResources._22_mta_sts_policies_sql),
    ]
}
