package import Postgres

/// The tables of API keys and idempotency keys. They follow the ledger's, whose accounts they refer to.
package enum IdentitySchema {
    /// Versions 200–299.
    ///
    /// The hash of a key is unique over all accounts and is looked up before the account is known, so it has a table of
    /// its own.
    package static let migrations = [
        Migration(version: 200, name: "API keys and idempotency keys", file: PackageResources._00_keys_sql)
    ]
}
