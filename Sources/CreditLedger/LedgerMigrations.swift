package import Postgres

extension CreditLedger {
    /// Versions 100–199, 593, 610–612, 700, 730 and 744.
    ///
    /// - `account_names` allots the numbers: a name is unique over all accounts, which a table distributed by account
    ///   could not promise.
    /// - `ledger_lock` locks first and reads after: each statement of the function sees what was committed while the
    ///   lock was awaited, which a single statement would not (its snapshot is older than its lock).
    /// - Row triggers see each row, statement triggers also TRUNCATE and statements that hit no row. ALWAYS keeps them
    ///   on under `session_replication_role = replica`.
    package static let migrations = [
        Migration(version: 100, name: "credit ledger", file: PackageResources._00_credit_ledger_sql),
        Migration(
            version: 593, name: "guards look at no temporary tables",
            file: PackageResources._93_guards_of_one_schema_sql),
        Migration(version: 610, name: "refunds", file: PackageResources._10_refunds_sql),
        // Apart from the table's change, whose lock must be short: these read all entries.
        Migration(version: 611, name: "one refund a recipient", file: PackageResources._11_one_refund_sql),
        Migration(version: 612, name: "entries are what they were", file: PackageResources._12_entries_checked_sql),
        Migration(version: 700, name: "changes of limits", file: PackageResources._00_limit_changes_sql),
        // What all tables of accounts' data need; the other targets' follow it.
        Migration(version: 730, name: "isolated accounts", file: PackageResources._30_isolated_accounts_sql),
        Migration(version: 744, name: "test accounts", file: PackageResources._44_test_accounts_sql),
    ]
}
