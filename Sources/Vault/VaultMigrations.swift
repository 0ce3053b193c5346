package import Postgres

extension Vault {
    /// The tables of the vault database. It is a database of its own, which backups of the records leave out.
    package static let migrations = [
        Migration(version: 1, name: "vault keys", file: PackageResources._01_vault_keys_sql),
        Migration(
            version: 594, name: "destroyed keys are cleared at once",
            file: PackageResources._94_destroyed_keys_are_cleared_sql),
    ]

    /// What the vault keeps in the records. Versions of the migrations of the records.
    package static let recordsMigrations = [
        Migration(version: 520, name: "check values of account keys", file: PackageResources._20_key_checks_sql)
    ]
}
