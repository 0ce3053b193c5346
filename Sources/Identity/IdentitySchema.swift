package import Postgres

/// The tables of API keys and idempotency keys. They follow the ledger's, whose accounts they refer to.
package enum IdentitySchema {
    /// Versions 200–299, 710–729 and 731.
    ///
    /// The hash of a key is unique over all accounts and is looked up before the account is known, so it has a table of
    /// its own.
    package static let migrations = [
        Migration(version: 200, name: "API keys and idempotency keys", file: PackageResources._00_keys_sql),
        Migration(version: 710, name: "what a key is for", file: PackageResources._10_key_terms_sql),
        Migration(version: 711, name: "limits of requests", file: PackageResources._11_request_limits_sql),
        Migration(version: 731, name: "isolated keys", file: PackageResources._31_isolated_keys_sql),
    ]
}
