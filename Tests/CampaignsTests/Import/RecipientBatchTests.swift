import MailMessage
import MailTypes
import TestSupport
import Testing

@testable import Campaigns

@Suite("Recipient batches")
struct RecipientBatchTests {
    @Test(arguments: Seed.range(10))
    func `records come back as they were`(seed: Seed) throws {
        var random = ImportRandom(seed)
        let records = try (0..<Int32(random.below(60))).map { try random.record(index: $0 * 7) }
        let batch = RecipientBatch(records: records)
        #expect(try RecipientBatch(decoding: batch.encoded()) == batch)
    }

    @Test func `the limits of each field come back`() throws {
        let records = [
            RecipientRecord(
                index: .max, attempt: .max, isSuppressed: true, firstAttemptAt: .max,
                address: try EmailAddress("\"a b\"@example.org"), name: "", variables: [:]),
            RecipientRecord(
                index: 0, firstAttemptAt: -1, address: try EmailAddress("é@bücher.example"), name: nil,
                variables: [
                    "x": .text(String(repeating: "y", count: 65_000)), "": "",
                    "z": .list([.falseText("No"), .falseText("")]),
                ]),
        ]
        #expect(try RecipientBatch(decoding: RecipientBatch(records: records).encoded()).records == records)
    }

    @Test func `what is done with lets go of its variables, and of no other's`() async throws {
        let records = try (0..<3).map { number in
            RecipientRecord(
                index: Int32(number), address: try EmailAddress("u\(number)@example.org"),
                variables: ["n": .text("\(number)")])
        }
        let read = try RecipientBatch(decoding: RecipientBatch(records: records).encoded()).records
        read[1].releaseVariables()
        #expect(read[0] == records[0] && read[2] == records[2])
        await #expect(processExitsWith: .failure) {
            let records = [RecipientRecord(index: 0, address: try EmailAddress("u@example.org"), variables: ["n": "1"])]
            let read = try RecipientBatch(decoding: RecipientBatch(records: records).encoded()).records
            read[0].releaseVariables()
            _ = read[0].variables
        }
    }

    @Test func `names and domains stand once`() throws {
        let records = try (0..<100).map { number in
            RecipientRecord(
                index: Int32(number), address: try EmailAddress("u\(number)@quite-a-long-domain.example.org"),
                variables: ["a_rather_long_variable_name": "x", "another_rather_long_one": "y"])
        }
        #expect(RecipientBatch(records: records).encoded().count < 100 * 25 + 200)
    }

    @Test func `marking as suppressed changes that record only`() throws {
        var random = ImportRandom(Seed(5))
        var encoder = RecipientBatchEncoder()
        var records: [RecipientRecord] = []
        var flags: [Int] = []
        for index in 0..<20 as Range<Int32> {
            var record = try random.record(index: index)
            record.isSuppressed = false
            records.append(record)
            flags.append(encoder.append(record))
        }
        for index in stride(from: 0, to: 20, by: 3) {
            encoder.markSuppressed(at: flags[index])
            records[index].isSuppressed = true
        }
        #expect(try RecipientBatch(decoding: encoder.finish()).records == records)
    }

    @Test func `an encoder can be used again`() throws {
        var random = ImportRandom(Seed(6))
        var encoder = RecipientBatchEncoder()
        for _ in 0..<3 {
            let records = try (0..<5).map { try random.record(index: $0) }
            for record in records { encoder.append(record) }
            #expect(try RecipientBatch(decoding: encoder.finish()).records == records)
            #expect(encoder.count == 0)
        }
    }

    @Test(arguments: Seed.range(900..<906))
    func `damaged octets are refused or read, and do no harm`(seed: Seed) throws {
        var random = ImportRandom(seed)
        let octets = RecipientBatch(records: try (0..<6).map { try random.record(index: $0) }).encoded()
        for count in 0..<octets.count {
            #expect(throws: RecipientBatchError.self) { try RecipientBatch(decoding: Array(octets.prefix(count))) }
        }
        #expect(throws: RecipientBatchError.self) { try RecipientBatch(decoding: octets + [0]) }
        for _ in 0..<2_000 {
            var damaged = octets
            for _ in 0...random.below(3) {
                damaged[random.below(damaged.count)] = UInt8.random(in: .min ... .max, using: &random)
            }
            // What was taken for a batch can be read whole.
            let batch = try? RecipientBatch(decoding: damaged)
            for record in batch?.records ?? [] { _ = record.variables }
        }
    }

    @Test func `a later version is refused`() {
        #expect(throws: RecipientBatchError.unknownVersion) { try RecipientBatch(decoding: [2, 0, 0, 0]) }
    }

    @Test func `endless nesting is refused`() {
        let nested: [UInt8] =
            [1, 1, 4] + Array("b.co".utf8) + [1, 1] + Array("k".utf8)
            + [1, 0, 0, 0, 0, 1] + Array("a".utf8) + [1, 0] + [UInt8](repeating: 4, count: 1_000).flatMap { [$0, 1] }
        #expect(throws: RecipientBatchError.malformed) { try RecipientBatch(decoding: nested) }
    }
}
