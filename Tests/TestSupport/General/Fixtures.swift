import Foundation

/// A sample that tests read from a file of `fixtures/`; its README says which kinds there are.
package struct Fixture: Sendable, CustomStringConvertible {
    /// The path below the folder of its kind, without the last ending: `greeted-with-421`, `a-tag-that-nobody-has/people`.
    package let name: String
    package let bytes: [UInt8]

    package var text: String { String(decoding: bytes, as: UTF8.self) }
    package var description: String { name }
}

package enum Fixtures {
    struct Missing: Error, CustomStringConvertible {
        let description: String
    }

    /// All files of a kind whose names end in `ending`, by name.
    ///
    /// - Throws: where there is none: a test without samples would pass without having looked.
    package static func files(_ kind: String, _ ending: String = ".txt") throws -> [Fixture] {
        let folder = ProjectFolder.path + "/fixtures/" + kind
        let paths = FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []
        let found = try paths.filter { $0.hasSuffix(ending) }.sorted().map { path in
            Fixture(
                name: String(path.dropLast(ending.count)),
                bytes: Array(try Data(contentsOf: URL(fileURLWithPath: folder + "/" + path))))
        }
        guard !found.isEmpty else { throw Missing(description: "no file \(folder)/*\(ending)") }
        return found
    }

    /// As ``files(_:_:)``, for the arguments of a test, which may not throw.
    package static func all(_ kind: String, _ ending: String = ".txt") -> [Fixture] {
        do {
            return try files(kind, ending)
        } catch {
            preconditionFailure("\(error)")
        }
    }
}
