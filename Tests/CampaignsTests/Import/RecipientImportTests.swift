import FoundationEssentials
import MailMessage
import MailTypes
import Testing

@testable import Campaigns
@testable import Vault

@Suite("Import of recipients")
struct RecipientImportTests {
    private let account = AccountID(rawValue: 1)
    private let campaign = CampaignID(rawValue: 2)
    private let key = SealingKey()
    private let fingerprinter = Fingerprinter(key: [UInt8](repeating: 3, count: 32))

    @Test func `batches hold the upload in order`() async throws {
        let store = MemoryImportStore()
        let result = try await run(lines(0..<2_345), into: store, batchSize: 1_000)
        #expect(result.report.accepted == 2_345)
        #expect(result.deliverable == 2_345)
        #expect(result.target == ImportTarget(nextIndex: 2_345, nextBatch: 4, batchSize: 1_000))
        #expect(store.all.map(\.number) == [1, 2, 3])
        #expect(store.all.map(\.deliverable) == [1_000, 1_000, 345])
        let records = try records(store)
        #expect(records.map(\.index) == Array(0..<2_345))
        #expect(records.map(\.address.text) == (0..<2_345).map { "user\($0)@example.org" })
        #expect(records.allSatisfy { $0.variables["n"] == .text("v") && $0.attempt == 0 && !$0.isSuppressed })
    }

    @Test func `some batches are written at once`() async throws {
        let store = MemoryImportStore()
        _ = try await run(lines(0..<95), into: store, batchSize: 10)
        #expect(store.writes == [4, 4, 2])
    }

    @Test func `long lines end batches early`() async throws {
        let store = MemoryImportStore()
        let filler = String(repeating: "x", count: 60_000)
        let upload = (0..<200).map { "{\"email\":\"u\($0)@example.org\",\"vars\":{\"x\":\"\(filler)\"}}\n" }.joined()
        let result = try await run(upload, into: store, batchSize: 1_000)
        #expect(result.report.accepted == 200)
        for batch in store.all { #expect(batch.sealed.count <= ImportLimits.batchOctets + 70_000) }
        #expect(try records(store).count == 200)
    }

    @Test func `duplicates are dropped however they are written`() async throws {
        let store = MemoryImportStore()
        let upload = """
            {"email":"Jane@Example.org","name":"first"}
            {"email":"jane@example.ORG","name":"second"}
            {"email":"john@example.org"}
            {"email":"jane@example.org"}
            """
        let result = try await run(upload, into: store)
        #expect(result.report.accepted == 2)
        #expect(result.report.duplicates == 2)
        #expect(try records(store).map(\.name) == ["first", nil])
    }

    @Test func `recipients of earlier uploads are duplicates`() async throws {
        let store = MemoryImportStore()
        let first = try await run(lines(0..<250), into: store, batchSize: 20)
        let second = try await run(lines(200..<300), into: store, target: first.target)
        #expect(second.report.accepted == 50)
        #expect(second.report.duplicates == 50)
        #expect(second.target.nextIndex == 300)
        let records = try records(store)
        #expect(records.map(\.index) == Array(0..<300))
        #expect(Set(records.map(\.address)).count == 300)
        #expect(store.all.map(\.number) == Array(1..<second.target.nextBatch))
    }

    @Test func `suppressed recipients are kept but not deliverable`() async throws {
        let suppressed = try Set(
            [3, 4, 12].map { fingerprinter.fingerprint(try EmailAddress("USER\($0)@example.org")) })
        let store = MemoryImportStore(suppressions: suppressed)
        let result = try await run(lines(0..<15), into: store, batchSize: 10)
        #expect(result.report.accepted == 15)
        #expect(result.report.suppressed == 3)
        #expect(result.deliverable == 12)
        #expect(store.all.map(\.deliverable) == [8, 4])
        #expect(try records(store).filter(\.isSuppressed).map(\.index) == [3, 4, 12])
        #expect(store.asked == 15)
    }

    @Test func `bad lines are reported and the rest is taken`() async throws {
        let store = MemoryImportStore()
        let upload = "{\"email\":\"a@b.co\"}\nnonsense\n{\"email\":\"nobody\"}\n\n{\"email\":\"b@b.co\"}\n"
        let result = try await run(upload, into: store, format: UploadForm(.ndjson, onInvalid: .skip))
        #expect(result.report.accepted == 2)
        #expect(result.report.invalid == 2)
        #expect(
            result.report.errors == [
                ImportReport.Line(line: 2, code: "json_not_an_object", reason: "the line is not a JSON object"),
                ImportReport.Line(line: 3, code: "address_no_domain", reason: "the address has no domain"),
            ])
    }

    @Test func `only the first thousand bad lines are named`() async throws {
        let upload = String(repeating: "nonsense\n", count: 1_500)
        let error = await #expect(throws: InvalidLinesError.self) { try await run(upload, into: MemoryImportStore()) }
        #expect(error?.report.invalid == 1_500)
        #expect(error?.report.errors.map(\.line) == Array(1...1_000))
        let result = try await run(
            upload, into: MemoryImportStore(), format: UploadForm(.ndjson, onInvalid: .skip))
        #expect(result.report == error?.report)
    }

    @Test func `an upload that must be whole is refused with all its invalid lines, and no batch follows the first`()
        async throws
    {
        let store = MemoryImportStore()
        let upload = lines(0..<100) + "nonsense\n" + lines(100..<1_000) + "{}\n"
        let error = await #expect(throws: InvalidLinesError.self) {
            try await run(upload, into: store, batchSize: 10, chunk: 100)
        }
        #expect(error?.report.accepted == 1_000)
        #expect(error?.report.errors.map(\.line) == [101, 1_002])
        #expect(error?.report.errors.map(\.code) == ["json_not_an_object", "email_missing"])
        #expect(store.all.count <= 10)
    }

    @Test(arguments: ["", "\n\n"])
    func `an upload without recipients is fine`(upload: String) async throws {
        for format in RecipientFormat.allCases {
            let store = MemoryImportStore()
            let result = try await run(upload, into: store, format: UploadForm(format))
            var nothing = ImportReport()
            nothing.format = format
            #expect(result.report == nothing)
            #expect(store.all.isEmpty)
            #expect(result.target.nextBatch == 1)
        }
    }

    @Test func `the digest covers every octet`() async throws {
        let upload = "{\"email\":\"a@b.co\"}\n\n# nonsense"
        for chunk in [1, 7, 4_096] {
            let result = try await run(
                upload, into: MemoryImportStore(), format: UploadForm(.ndjson, onInvalid: .skip), chunk: chunk)
            #expect(result.digest.map { String($0, radix: 16) }.joined(separator: " ") == Self.digest)
        }
    }

    @Test func `CSV and NDJSON give the same records`() async throws {
        let (one, two) = (MemoryImportStore(), MemoryImportStore())
        _ = try await run(
            "{\"email\":\"a@b.co\",\"name\":\"N\",\"vars\":{\"x\":\"1\",\"y\":\"\"}}", into: one, format: .ndjson)
        _ = try await run("email,x,name,y\na@b.co,1,N,\n", into: two, format: .csv)
        #expect(try records(one) == records(two))
    }

    @Test func `too many recipients refuse the upload`() async throws {
        let target = ImportTarget(
            nextIndex: Int32(ImportLimits.recipientsPerCampaign - 2), nextBatch: 1, batchSize: 1_000)
        let full = try await run(lines(0..<2), into: MemoryImportStore(), target: target)
        #expect(full.target.nextIndex == Int32(ImportLimits.recipientsPerCampaign))
        let error = await #expect(throws: ImportError.self) {
            try await run(lines(0..<3), into: MemoryImportStore(), target: target)
        }
        #expect(error?.code == .tooManyRecipients)
        #expect(error?.line == 3)
    }

    @Test func `a torn quote refuses the upload`() async throws {
        let error = await #expect(throws: ImportError.self) {
            try await run("email,x\na@b.co,\"1\n", into: MemoryImportStore(), format: .csv)
        }
        #expect(error?.code == .csvUnterminatedQuote)
    }

    @Test func `failures of source and store come through`() async throws {
        await #expect(throws: MemoryImportStore.Failure.self) {
            try await run(lines(0..<100), into: MemoryImportStore(failsAtWrite: 1), batchSize: 10)
        }
        var upload = makeImport(.ndjson, ImportTarget(batchSize: 10))
        let broken = AsyncThrowingStream<[UInt8], any Error> { continuation in
            continuation.yield(Array("{\"email\":\"a@b.co\"}\n".utf8))
            continuation.finish(throwing: MemoryImportStore.Failure())
        }
        let store = MemoryImportStore()
        await #expect(throws: MemoryImportStore.Failure.self) { try await upload.run(broken, into: store) }
        #expect(store.all.isEmpty)
    }

    @Test func `a batch opens in its own place only`() async throws {
        let store = MemoryImportStore()
        _ = try await run(lines(0..<20), into: store, batchSize: 10)
        let second = store.all[1].sealed
        #expect(throws: VaultError.self) {
            try key.open(second, as: SealContext(account: account, campaign: campaign, batch: 1, purpose: .recipients))
        }
    }

    /// SHA-256, by sha256sum.
    private static let digest =
        "d8 a1 5 b6 f b1 d5 18 5b a8 17 22 2e e7 f 22 "
        + "8c c7 32 99 5f 1b 25 60 be a5 d9 8a 64 6 77 47"

    // MARK: -

    private func lines(_ numbers: Range<Int>) -> String {
        numbers.map { "{\"email\":\"user\($0)@example.org\",\"vars\":{\"n\":\"v\"}}\n" }.joined()
    }

    private func makeImport(_ format: UploadForm, _ target: ImportTarget) -> RecipientImport {
        RecipientImport(
            account: account, campaign: campaign, format: format, target: target, fingerprinter: fingerprinter,
            key: key)
    }

    private func run(
        _ upload: String, into store: MemoryImportStore, format: UploadForm = .ndjson, batchSize: Int = 1_000,
        target: ImportTarget? = nil, chunk: Int = 4_096
    ) async throws -> ImportResult {
        var upload = Array(upload.utf8)[...]
        let chunks = AsyncStream<[UInt8]> { continuation in
            while !upload.isEmpty {
                continuation.yield(Array(upload.prefix(chunk)))
                upload = upload.dropFirst(chunk)
            }
            continuation.finish()
        }
        var run = makeImport(format, target ?? ImportTarget(batchSize: batchSize))
        return try await run.run(chunks, into: store)
    }

    private func records(_ store: MemoryImportStore) throws -> [RecipientRecord] {
        try store.all.flatMap { batch in
            let place = SealContext(account: account, campaign: campaign, batch: batch.number, purpose: .recipients)
            return try RecipientBatch(decoding: key.open(batch.sealed, as: place)).records
        }
    }
}
