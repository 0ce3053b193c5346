import Foundation
import MailTypes
import TestSupport
import Testing

@testable import Campaigns
@testable import Vault

/// The uploads of `fixtures/lists`, octet for octet, in whole and in small pieces.
struct ListFixtureTests {
    /// What `expected.json` says.
    struct Expectation: Decodable, Equatable {
        struct Line: Decodable, Equatable {
            let line: Int
            let code: String
        }

        var accepted: Int?
        var duplicates: Int?
        var invalid: [Line]?
        /// The code of the error that refuses the whole upload.
        var refused: String?
    }

    struct List: Sendable, CustomTestStringConvertible {
        let name: String
        let format: RecipientFormat
        let upload: [UInt8]

        var testDescription: String { name }
    }

    static let lists = [(".csv", RecipientFormat.csv), (".ndjson", .ndjson)].flatMap { ending, format in
        Fixtures.all("lists", "/people" + ending).map {
            List(name: $0.name, format: format, upload: $0.bytes)
        }
    }

    @Test(arguments: lists, [4_096, 3]) func `a list is read as its folder says`(list: List, piece: Int) async throws {
        let file = ProjectFolder.path + "/fixtures/lists/\(list.name)/expected.json"
        let expected = try JSONDecoder().decode(
            Expectation.self, from: Data(contentsOf: URL(fileURLWithPath: file)))
        #expect(try await read(list, piece: piece) == expected)
    }

    private func read(_ list: List, piece: Int) async throws -> Expectation {
        let chunks = AsyncStream<[UInt8]> { continuation in
            var rest = list.upload[...]
            while !rest.isEmpty {
                continuation.yield(Array(rest.prefix(piece)))
                rest = rest.dropFirst(piece)
            }
            continuation.finish()
        }
        var run = RecipientImport(
            account: AccountID(rawValue: 1), campaign: CampaignID(rawValue: 2),
            format: UploadForm(list.format, onInvalid: .skip),
            target: ImportTarget(batchSize: 100), fingerprinter: Fingerprinter(key: [UInt8](repeating: 3, count: 32)),
            key: SealingKey())
        do {
            let report = try await run.run(chunks, into: MemoryImportStore()).report
            #expect(report.invalid == report.errors.count)
            return Expectation(
                accepted: report.accepted, duplicates: report.duplicates,
                invalid: report.errors.map { Expectation.Line(line: $0.line, code: $0.code) })
        } catch let error as ImportError {
            return Expectation(refused: error.code.rawValue)
        }
    }
}
