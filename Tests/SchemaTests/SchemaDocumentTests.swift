import Foundation
import Postgres
import TestDatabases
import TestSupport
import Testing

/// `docs/schema.sql` shows what all migrations together have made: so the live text of each function has a place.
struct SchemaDocumentTests {
    private static let path = ProjectFolder.path + "/docs/schema.sql"
    private static let writes = ProcessInfo.processInfo.environment["SLUICE_WRITE_SCHEMA"] != nil

    @Test(.enabled(if: SchemaDump.isPossible, "PostgreSQL \(SchemaDump.majorVersion) words the schema"))
    func `docs/schema.sql is what the migrations make`() async throws {
        let made = try await document()
        if Self.writes { try made.write(toFile: Self.path, atomically: true, encoding: .utf8) }
        let written = try String(contentsOfFile: Self.path, encoding: .utf8)
        let difference = Self.firstDifference(of: written, from: made)
        #expect(
            difference == nil,
            "\(difference ?? "")\nSLUICE_WRITE_SCHEMA=1 make test T=SchemaTests writes it anew: read what changed"
        )
    }

    private func document() async throws -> String {
        let records = try await TestDatabase.make(migrations: Schemas.records)
        let vault = try await TestDatabase.make(migrations: Schemas.vault)
        return """
            -- What the migrations have made of both databases. SchemaTests compares this file in each run and can write
            -- it, see docs/developing.md. Nothing reads it but people.

            -- The records

            \(try await SchemaDump.text(of: records))
            -- The vault

            \(try await SchemaDump.text(of: vault))
            """
    }

    /// The first lines that differ, for people; nil where none do.
    static func firstDifference(of written: String, from made: String) -> String? {
        let old = written.split(separator: "\n", omittingEmptySubsequences: false)
        let new = made.split(separator: "\n", omittingEmptySubsequences: false)
        let common = zip(old, new).prefix { $0 == $1 }.count
        guard common < max(old.count, new.count) else { return nil }
        func lines(_ all: [Substring], _ sign: String) -> String {
            all[common...].prefix(5).map { sign + $0 }.joined(separator: "\n")
        }
        return "line \(common + 1) differs:\n\(lines(old, "- "))\n\(lines(new, "+ "))"
    }

    @Test func `a difference is shown from its first line`() {
        #expect(Self.firstDifference(of: "a\nb\n", from: "a\nb\n") == nil)
        #expect(Self.firstDifference(of: "a\nb", from: "a\nc\nd") == "line 2 differs:\n- b\n+ c\n+ d")
        #expect(Self.firstDifference(of: "a\nb", from: "a") == "line 2 differs:\n- b\n")
    }
}
