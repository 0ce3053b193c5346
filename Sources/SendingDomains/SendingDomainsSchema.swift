package import Postgres

/// What proves that a sending domain is its account's. The tables `domains` and `domain_keys` themselves were made by
/// version 400.
package enum SendingDomainsSchema {
    /// Versions 530–539, 675–679 and 735. They follow the campaigns', which made the first tables.
    package static let migrations = [
        Migration(version: 530, name: "proofs of sending domains", file: PackageResources._30_proofs_sql),
        Migration(version: 531, name: "roles of DKIM keys", file: PackageResources._31_key_roles_sql),
        Migration(version: 675, name: "reports on domains", file: PackageResources._75_domain_reports_sql),
        Migration(version: 735, name: "isolated domains", file: PackageResources._35_isolated_domains_sql),
    ]
}
