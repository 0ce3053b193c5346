import Identity
import Postgres
import TestStores
import Vault

/// The migrations of all rooms, as the program applies them.
enum Schemas {
    static let records = Stores.migrations + IdentitySchema.migrations
    static let vault = Vault.migrations

    /// Whether the oldest version that may run beside this one has the migration: its schema ended with 430. What the
    /// suppressions got later has a lower number.
    static func older(_ migration: Migration) -> Bool { migration.version <= 430 && migration.version != 340 }

    /// What came since then.
    static let newer = records.filter { !older($0) }.sorted { $0.version < $1.version }
}
