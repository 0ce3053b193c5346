package import Postgres

/// The tables of certificates that are ordered.
package enum ACMESchema {
    /// Versions 740–744.
    package static let migrations = [
        Migration(version: 740, name: "certificates by ACME", file: PackageResources._40_acme_sql)
    ]
}
