import MailSigning
import MailTypes
import TestSupport
import Testing

@Suite struct DKIMSignerTests {
    private let verifier = try! DKIMVerifier(keys: TestKeys.records)

    private func signed(_ text: String, with signer: DKIMSigner) throws -> [UInt8] {
        let (message, bodyOffset) = MessageShapes.bytes(text)
        return try signer.sign(message, bodyOffset: bodyOffset, at: TestKeys.time) + message
    }

    private func results(_ message: [UInt8]) throws -> [DKIMVerification.Result] {
        try verifier.verify(message).signatures.map(\.result)
    }

    @Test(arguments: MessageShapes.all.map(\.name))
    func `libopendkim accepts every shape`(name: String) throws {
        let shape = try #require(MessageShapes.all.first { $0.name == name })
        let message = try signed(shape.text, with: TestKeys.signer())
        let verification = try verifier.verify(message)
        #expect(verification.signatures.map(\.result) == [.pass, .pass])
        #expect(verification.signatures.map(\.algorithm) == ["rsa-sha256", "ed25519-sha256"])
        #expect(verification.signatures.map(\.selector) == ["rsa", "ed"])
        #expect(verification.signatures.map(\.domain) == ["example.org", "example.org"])
    }

    @Test func `one signer serves messages of all shapes in turn`() throws {
        let signer = try TestKeys.signer()
        for _ in 0..<2 {
            for shape in MessageShapes.all {
                #expect(try results(signed(shape.text, with: signer)) == [.pass, .pass], "\(shape.name)")
            }
        }
    }

    /// The values of the tags of the first signature, unfolded.
    private func tags(_ fields: [UInt8]) throws -> [String: String] {
        let text = String(decoding: fields, as: UTF8.self)
        let field = try #require(text.components(of: "DKIM-Signature: ").dropFirst().first)
        var tags: [String: String] = [:]
        for tag in field.replacing("\r\n", with: "").replacing(" ", with: "").split(separator: ";") {
            let parts = tag.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            #expect(tags.updateValue(String(parts[1]), forKey: String(parts[0])) == nil, "tag \(parts[0]) twice")
        }
        return tags
    }

    @Test func `the signature has the tags that it should`() throws {
        let (message, bodyOffset) = MessageShapes.bytes(MessageShapes.complete)
        let tags = try tags(TestKeys.signer().sign(message, bodyOffset: bodyOffset, at: TestKeys.time))
        #expect(Set(tags.keys) == ["v", "a", "c", "d", "s", "t", "h", "bh", "b"])
        #expect(tags["v"] == "1")
        #expect(tags["a"] == "rsa-sha256")
        #expect(tags["c"] == "relaxed/relaxed")
        #expect(tags["d"] == "example.org")
        #expect(tags["s"] == "rsa")
        #expect(tags["t"] == "1700000000")
        #expect(
            tags["h"] == "From:From:Subject:Subject:To:To:Date:Date:Message-ID:Message-ID:Reply-To:Reply-To:"
                + "MIME-Version:MIME-Version:Content-Type:Content-Type:Content-Transfer-Encoding:Content-Transfer-Encoding:"
                + "List-Unsubscribe:List-Unsubscribe:List-Unsubscribe-Post:List-Unsubscribe-Post:Feedback-ID:"
                + "CFBL-Address:CFBL-Feedback-ID:Cc")
        #expect(tags["b"]?.utf8.count == 344)
    }

    @Test func `absent fields are oversigned and repeated ones counted`() throws {
        let (message, bodyOffset) = MessageShapes.bytes(
            "From: a@example.org\nTo: b@example.net\nCc: c@example.net\nTo: d@example.net\nCc: e@example.net\n\nHi\n")
        let tags = try tags(TestKeys.signer().sign(message, bodyOffset: bodyOffset, at: TestKeys.time))
        #expect(
            tags["h"] == "From:From:Subject:To:To:To:Date:Message-ID:Reply-To:MIME-Version:Content-Type:"
                + "Content-Transfer-Encoding:List-Unsubscribe:List-Unsubscribe-Post:Cc:Cc")
    }

    @Test func `lines are folded within 78 octets`() throws {
        let long = try DomainName(
            [String](repeating: "label-of-many-octets", count: 3).joined(separator: ".") + ".example")
        for (domain, selector) in [(TestKeys.domain, "s"), (long, "selector-of-2026-11")] {
            let signer = try DKIMSigner(
                domain: domain, keys: [(selector, TestKeys.rsa), ("e." + selector, TestKeys.ed25519)])
            for shape in MessageShapes.all {
                let (message, bodyOffset) = MessageShapes.bytes(shape.text)
                let fields = String(
                    decoding: try signer.sign(message, bodyOffset: bodyOffset, at: TestKeys.time), as: UTF8.self)
                #expect(fields.hasSuffix("\r\n"))
                for line in fields.components(of: "\r\n").dropLast() {
                    #expect(line.utf8.count <= 78)
                    #expect(line.hasPrefix("DKIM-Signature: ") || line.hasPrefix(" "))
                    #expect(!line.hasSuffix(" ") && line.contains { $0 != " " })
                }
            }
        }
    }

    @Test func `a domain of the greatest length is signed`() throws {
        let label = String(repeating: "d", count: 63)
        let domain = try DomainName([label, label, label, String(repeating: "e", count: 61)].joined(separator: "."))
        let signer = try DKIMSigner(domain: domain, keys: [("s", TestKeys.rsa)])
        let (message, bodyOffset) = MessageShapes.bytes(MessageShapes.complete)
        let fields = try signer.sign(message, bodyOffset: bodyOffset, at: TestKeys.time)
        #expect(try tags(fields)["d"] == domain.text)
    }

    @Test(arguments: Seed.one(12)) func `a changed octet of a signed field breaks both signatures`(seed: Seed) throws {
        let message = try signed(MessageShapes.complete, with: TestKeys.signer())
        let header = try #require(message.firstRange(of: Array("From: Example".utf8))).lowerBound
        var generator = SeededGenerator(seed)
        var tried = 0
        var line = header
        while message[line] != 0x0D {
            let end = message[line...].firstIndex(of: 0x0D)!
            let text = String(decoding: message[line..<end], as: UTF8.self)
            for _ in 0..<12 {
                let index = Int.random(in: line..<end, using: &generator)
                // White space may change, and the case of a name.
                guard message[index] > 0x20 else { continue }
                var changed = message
                changed[index] = message[index] == UInt8(ascii: "q") ? UInt8(ascii: "z") : UInt8(ascii: "q")
                guard let verification = try? verifier.verify(changed) else {
                    // The colon is gone: no field, no message.
                    #expect(message[index] == 0x3A)
                    continue
                }
                #expect(verification.passes == text.hasPrefix("X-Unsigned"), "\(text) at \(index - line)")
                tried += 1
            }
            line = end + 2
        }
        #expect(tried > 100)
    }

    @Test(arguments: Seed.one(13)) func `a changed octet of the body breaks both signatures`(seed: Seed) throws {
        let message = try signed(MessageShapes.complete, with: TestKeys.signer())
        let body = try #require(message.firstRange(of: Array("Dear Jane".utf8))).lowerBound
        var generator = SeededGenerator(seed)
        for _ in 0..<100 {
            let index = Int.random(in: body..<message.count, using: &generator)
            guard message[index] > 0x20 else { continue }
            var changed = message
            changed[index] ^= 1 << UInt8.random(in: 0...3, using: &generator)
            guard changed[index] > 0x20 else { continue }
            #expect(try results(changed) == [.fail(.bodyHashMismatch), .fail(.bodyHashMismatch)])
        }
    }

    @Test func `text added to the body breaks the signature`() throws {
        let message = try signed(MessageShapes.complete, with: TestKeys.signer())
        #expect(try results(message + Array("more\r\n".utf8)).allSatisfy { $0 != .pass })
        // Empty lines at the end mean nothing.
        #expect(try results(message + Array("\r\n\r\n".utf8)) == [.pass, .pass])
    }

    @Test(arguments: Seed.one(14)) func `a changed tag of the signature breaks it`(seed: Seed) throws {
        let signer = try DKIMSigner(domain: TestKeys.domain, keys: [("rsa", TestKeys.rsa)])
        let message = try signed(MessageShapes.complete, with: signer)
        let end = try #require(message.firstRange(of: Array(" bh=".utf8))).lowerBound
        var generator = SeededGenerator(seed)
        for _ in 0..<100 {
            let index = Int.random(in: 16..<end, using: &generator)
            guard message[index] > 0x20 else { continue }
            var changed = message
            changed[index] = UInt8.random(in: UInt8(ascii: "a")...UInt8(ascii: "z"), using: &generator)
            guard changed[index] != message[index] else { continue }
            #expect(try verifier.verify(changed).passes == false)
        }
    }

    @Test(arguments: [
        "From: Mallory <m@example.com>", "Subject: Other", "To: m@example.com", "Date: Sat, 21 Nov 2026 12:00:00 +0000",
        "Message-ID: <1@example.com>", "Reply-To: m@example.com", "MIME-Version: 1.1", "Content-Type: text/html",
        "Content-Transfer-Encoding: base64", "List-Unsubscribe: <https://example.com/>", "List-Unsubscribe-Post: x=y",
    ])
    func `a second field of an oversigned name breaks the signature`(field: String) throws {
        for text in [MessageShapes.complete, "From: a@example.org\n\nHi\n"] {
            let message = try signed(text, with: TestKeys.signer())
            let from = try #require(message.firstRange(of: Array("\r\nFrom:".utf8))).lowerBound + 2
            let header = try #require(message.firstRange(of: Array("\r\n\r\n".utf8))).lowerBound + 2
            for place in [0, from, header] {
                var changed = message
                changed.insert(contentsOf: Array((field + "\r\n").utf8), at: place)
                #expect(try verifier.verify(changed).passes == false, "\(field) at \(place)")
            }
        }
    }

    @Test func `fields that relays add do not break the signature`() throws {
        let message = try signed(MessageShapes.complete, with: TestKeys.signer())
        #expect(try results(Array("Received: from a by b\r\nX-Spam: no\r\n".utf8) + message) == [.pass, .pass])
    }

    @Test(arguments: [
        ("From: a@example.org\r\nSubject: x\r\n", 33, DKIMError.Code.malformedMessage),
        ("From: a@example.org\r\n\r\nHi", 21, .malformedMessage),
        ("From: a@example.org\r\n\r\nHi", 26, .malformedMessage),
        ("From: a@example.org\r\n\r\nHi", 99, .malformedMessage),
        ("From: a@example.org\r\n\r\nHi", -1, .malformedMessage),
        ("", 0, .malformedMessage), ("\r\nHi", 2, .missingFrom), ("Subject: x\r\n\r\nHi", 14, .missingFrom),
        ("From a@example.org\r\n\r\nHi", 22, .malformedMessage), (": a@example.org\r\n\r\nHi", 19, .malformedMessage),
        ("Fr om: a@example.org\r\n\r\nHi", 24, .malformedMessage),
        (" From: a@example.org\r\n\r\nHi", 24, .malformedMessage),
        ("From: a@example.org\nX: y\r\n\r\nHi", 28, .strayLineBreak),
        ("From: a@example.org\rX: y\r\n\r\nHi", 28, .strayLineBreak),
        ("From: a@example.org\r\n\r\nHi\nthere", 23, .strayLineBreak),
        ("From: a@example.org\r\n\r\nHi\r", 23, .strayLineBreak),
    ])
    func `unfit messages are refused`(text: String, bodyOffset: Int, code: DKIMError.Code) throws {
        let signer = try TestKeys.signer()
        #expect { try signer.sign(Array(text.utf8), bodyOffset: bodyOffset, at: 0) } throws: {
            ($0 as? DKIMError)?.code == code
        }
        // The context that failed is as good as before.
        #expect(try results(signed(MessageShapes.complete, with: signer)) == [.pass, .pass])
    }

    @Test(arguments: [
        "", ".", "a.", ".a", "a..b", "-a", "a-", "a_b", "a b", "a;b", "ä", "a\r\n", String(repeating: "a", count: 64),
    ])
    func `unfit selectors are refused`(selector: String) {
        #expect { try DKIMSigner(domain: TestKeys.domain, keys: [(selector, TestKeys.rsa)]) } throws: {
            ($0 as? DKIMError)?.code == .invalidSelector
        }
    }

    @Test func `a signer needs keys with selectors of their own`() {
        #expect { try DKIMSigner(domain: TestKeys.domain, keys: []) } throws: {
            ($0 as? DKIMError)?.code == .invalidSelector
        }
        #expect {
            try DKIMSigner(domain: TestKeys.domain, keys: [("a", TestKeys.rsa), ("A", TestKeys.ed25519)])
        } throws: {
            ($0 as? DKIMError)?.code == .invalidSelector
        }
    }

    @Test func `many tasks sign and verify at once`() async throws {
        let signer = try TestKeys.signer()
        let verifier = verifier
        let failures = await withTaskGroup(of: Int.self) { group in
            for task in 0..<8 {
                group.addTask { @concurrent in
                    var failures = 0
                    for number in 0..<200 {
                        let text = MessageShapes.complete.replacing("4711", with: "\(task)-\(number)")
                        let (message, bodyOffset) = MessageShapes.bytes(text)
                        let fields = try? signer.sign(message, bodyOffset: bodyOffset, at: TestKeys.time)
                        let verification = fields.flatMap { try? verifier.verify($0 + message) }
                        if verification?.signatures.map(\.result) != [.pass, .pass] { failures += 1 }
                    }
                    return failures
                }
            }
            return await group.reduce(0, +)
        }
        #expect(failures == 0)
    }
}

extension String {
    func components(of separator: String) -> [String] {
        split(separator: separator, omittingEmptySubsequences: false).map(String.init)
    }
}
