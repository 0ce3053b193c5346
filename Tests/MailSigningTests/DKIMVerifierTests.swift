import MailSigning
import MailTypes
import TestSupport
import Testing

@Suite struct DKIMVerifierTests {
    private func signedMessage() throws -> [UInt8] {
        let (message, bodyOffset) = MessageShapes.bytes(MessageShapes.complete)
        return try TestKeys.signer().sign(message, bodyOffset: bodyOffset, at: TestKeys.time) + message
    }

    private func results(_ message: [UInt8], _ keys: [String: String]) throws -> [DKIMVerification.Result] {
        try DKIMVerifier(keys: keys).verify(message).signatures.map(\.result)
    }

    @Test func `a message without signatures has none`() throws {
        let verification = try DKIMVerifier(keys: TestKeys.records).verify(
            MessageShapes.bytes(MessageShapes.complete).message)
        #expect(verification.signatures.isEmpty)
        #expect(!verification.passes)
    }

    @Test func `each signature is judged by itself`() throws {
        var keys = TestKeys.records
        keys["ed._domainkey.example.org"] = try DKIMKey.generate(.ed25519SHA256).dnsRecord
        #expect(try results(signedMessage(), keys) == [.pass, .fail(.signatureMismatch)])
        keys["ed._domainkey.example.org"] = nil
        #expect(try results(signedMessage(), keys) == [.pass, .fail(.keyNotFound)])
        keys["rsa._domainkey.example.org"] = "v=DKIM1; k=rsa; p="
        #expect(try results(signedMessage(), keys) == [.fail(.keyUnusable), .fail(.keyNotFound)])
        keys["rsa._domainkey.example.org"] = TestKeys.ed25519.dnsRecord
        #expect(try results(signedMessage(), keys)[0] != .pass)
    }

    @Test func `record names are found in any case`() throws {
        let keys = Dictionary(uniqueKeysWithValues: TestKeys.records.map { ($0.uppercased(), $1) })
        #expect(try results(signedMessage(), keys) == [.pass, .pass])
    }

    @Test(arguments: [
        (
            "v=1; a=dsa-sha256; c=relaxed/relaxed; d=example.org; s=rsa; h=From; bh=AAAA; b=AAAA",
            DKIMVerification.Failure.algorithmUnsupported
        ),
        ("v=2; a=rsa-sha256; c=relaxed/relaxed; d=example.org; s=rsa; h=From; bh=AAAA; b=AAAA", .signatureMalformed),
        ("v=1; a=rsa-sha256; c=relaxed/relaxed; s=rsa; h=From; bh=AAAA; b=AAAA", .signatureMalformed),
        ("v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; s=rsa; h=Subject; bh=AAAA; b=AAAA", .signatureMalformed),
        ("v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; s=rsa; t=1; x=2; h=From; bh=AAAA; b=AAAA", .expired),
    ])
    func `useless signatures say why and hide no good one`(tags: String, failure: DKIMVerification.Failure) throws {
        let useless = Array("DKIM-Signature: \(tags)\r\n".utf8)
        let (plain, _) = MessageShapes.bytes(MessageShapes.complete)
        #expect(try results(useless + plain, TestKeys.records) == [.fail(failure)])
        #expect(try results(useless + signedMessage(), TestKeys.records) == [.fail(failure), .pass, .pass])
    }

    @Test(arguments: ["", "From: a@example.org", "From: a@example.org\r\n", "hello\r\n\r\n", "From: a\nTo: b\r\n\r\n"])
    func `what is no message is an error`(text: String) throws {
        let verifier = try DKIMVerifier(keys: TestKeys.records)
        #expect(throws: DKIMError.self) { try verifier.verify(Array(text.utf8)) }
    }

    /// No input makes the C library or the shell around it crash, and none passes but the signed message.
    @Test(arguments: Seed.one(15)) func `random damage never passes and never crashes`(seed: Seed) throws {
        let message = try signedMessage()
        let verifier = try DKIMVerifier(keys: TestKeys.records)
        var generator = SeededGenerator(seed)
        for _ in 0..<400 {
            var damaged = message
            let start = Int.random(in: 0..<damaged.count, using: &generator)
            let end = min(damaged.count, start + Int.random(in: 2...200, using: &generator))
            damaged.replaceSubrange(
                start..<end,
                with: (0..<Int.random(in: 0...60, using: &generator)).map { _ in
                    UInt8.random(in: 1...255, using: &generator)
                })
            _ = try? verifier.verify(damaged)
        }
        #expect(try verifier.verify(message).passes)
    }
}
