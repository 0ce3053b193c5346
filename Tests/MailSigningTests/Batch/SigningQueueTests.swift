import MailTypes
import TestSupport
import Testing

@testable import MailSigning

@Suite struct SigningQueueTests {
    private let batch = BatchSigner(Lanes.best, detail: "")

    private func begin(_ number: Int, _ queue: SigningQueue, by signer: DKIMSigner) throws -> (
        signature: MailSignature, message: [UInt8]
    ) {
        let (message, bodyOffset) = MessageShapes.bytes(MessageShapes.complete.replacing("4711", with: "\(number)"))
        return (try queue.begin(message, bodyOffset: bodyOffset, at: TestKeys.time, by: signer), message)
    }

    @Test func `eight are made by who begins the last, fewer by who needs the first`() async throws {
        let queue = SigningQueue(batch)
        let begun = try (0..<11).map { try begin($0, queue, by: Lanes.signers[$0 % 4]) }
        #expect(batch.status.counts.passes == [0, 0, 0, 0, 0, 0, 0, 1])
        _ = try await begun[10].signature.fields()
        #expect(batch.status.counts.passes == [0, 0, 1, 0, 0, 0, 0, 1])
        for (number, mail) in begun.enumerated() {
            let (message, bodyOffset) = MessageShapes.bytes(
                MessageShapes.complete.replacing("4711", with: "\(number)"))
            let alone = try Lanes.signers[number % 4].sign(message, bodyOffset: bodyOffset, at: TestKeys.time)
            #expect(try await mail.signature.fields() == alone)
        }
        #expect(batch.status.counts.alone == 0)
    }

    @Test func `a lone message is libcrypto's, and waits for no other`() async throws {
        let queue = SigningQueue(batch)
        _ = try await begin(1, queue, by: Lanes.signers[0]).signature.fields()
        #expect(batch.status.counts.alone == 1 && batch.status.counts.passes.allSatisfy { $0 == 0 })
    }

    @Test(.timeLimit(.minutes(1))) func `what waits is made once no more is to come`() async throws {
        let queue = SigningQueue(batch)
        for number in 0..<5 { _ = try begin(number, queue, by: Lanes.signers[0]) }
        #expect(batch.status.counts == SigningCounts())
        let running = Task { await queue.run() }
        queue.flush()
        try await eventually("they are made") { batch.status.counts.passes[4] == 1 }
        running.cancel()
        await running.value
    }

    @Test func `switched off, each is made at once`() async throws {
        let batch = BatchSigner.libcrypto
        let queue = SigningQueue(batch)
        let begun = try (0..<9).map { try begin($0, queue, by: TestKeys.signer()) }
        #expect(batch.status.counts.alone == 9)
        let verifier = try DKIMVerifier(keys: TestKeys.records)
        for mail in begun {
            let fields = try await mail.signature.fields()
            #expect(try verifier.verify(fields + mail.message).signatures.map(\.result) == [.pass, .pass])
        }
    }

    @Test func `a message that cannot be signed leaves nothing in the queue`() throws {
        let queue = SigningQueue(batch)
        #expect(throws: DKIMError.self) {
            try queue.begin(Array("Subject: x\r\n\r\nHi".utf8), bodyOffset: 14, at: 0, by: Lanes.signers[0])
        }
        queue.makeWaiting()
        #expect(batch.status.counts == SigningCounts())
    }

    @Test(.timeLimit(.minutes(2))) func `many tasks sign at once, and libopendkim accepts each mail`() async throws {
        let queue = SigningQueue(batch)
        let signers = try Lanes.keys.map {
            try DKIMSigner(domain: TestKeys.domain, keys: [("rsa", $0), ("ed", TestKeys.ed25519)])
        }
        let verifiers = try Lanes.keys.map {
            try DKIMVerifier(keys: [
                "rsa._domainkey.example.org": $0.dnsRecord, "ed._domainkey.example.org": TestKeys.ed25519.dnsRecord,
            ])
        }
        let failures = await withTaskGroup(of: Int.self) { group in
            for task in 0..<16 {
                group.addTask { @concurrent in
                    var failures = 0
                    for number in 0..<40 {
                        let key = (task + number) % signers.count
                        let mail = try? begin(task * 100 + number, queue, by: signers[key])
                        await Task.yield()
                        let fields = try? await mail?.signature.fields()
                        let results = try? mail.map {
                            try verifiers[key].verify((fields ?? []) + $0.message).signatures.map(\.result)
                        }
                        if results != [.pass, .pass] { failures += 1 }
                    }
                    return failures
                }
            }
            return await group.reduce(0, +)
        }
        let counts = batch.status.counts
        #expect(failures == 0)
        #expect(counts.signaturesInPasses + counts.alone == 640 && counts.mismatches == 0)
    }
}
