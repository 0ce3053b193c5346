/// One step of a schema: never changed once released.
package struct Migration: Sendable, Hashable {
    package let version: Int
    package let name: String
    /// Statements separated by semicolons, run in one transaction by the role that owns the objects.
    package let sql: String

    package init(version: Int, name: String, sql: String) {
        self.version = version
        self.name = name
        self.sql = sql
    }
}
