package import Postgres

extension Vault {
    /// The tables of the vault database. It is a database of its own, which backups of the records leave out.
    package static let migrations = [
        Migration(version: 1, name: "vault keys", file: PackageResources._01_vault_keys_sql)
    ]

    /// What the vault keeps in the records. Versions of the migrations of the records.
    package static let recordsMigrations = [
        Migration(version: 520, name: "check values of account keys", file: PackageResources._20_key_checks_sql)
    ]
}
