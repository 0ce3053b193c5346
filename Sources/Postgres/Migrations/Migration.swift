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

    /// A migration whose text is a file, `Migrations/VERSION-name.sql` of its target, embedded in the program.
    ///
    /// SwiftPM names the octets after the file, with `_` in place of the first digit and of what a name cannot have:
    /// `PackageResources._00_campaigns_sql` is `400-campaigns.sql`.
    /// - Parameter file: UTF-8. A line break at the end belongs to the file, not to the text that is applied.
    package init(version: Int, name: String, file: [UInt8]) {
        let text = file.last == UInt8(ascii: "\n") ? file.dropLast() : file[...]
        self.init(version: version, name: name, sql: String(decoding: text, as: UTF8.self))
    }
}
