import Foundation
import MailSigning
import MailTypes
import NIOCore
import SMTPTransport
import TestSupport
import Testing

@testable import MailSink

@Suite struct SmartSinkTests {
    @Test func `magic local parts do what they say`() async throws {
        let totals = try await withSink({ $0.slowness = .milliseconds(10) }) { port, sink in
            var dialog = try #require(SMTPDialog.greeted(port: port))
            #expect(dialog.deliver(to: "plain@example.net") == 250)
            #expect(dialog.deliver(to: "bounce+1@example.net").map { $0 / 100 } == 5)
            #expect(dialog.deliver(to: "reject-data+1@example.net").map { $0 / 100 } == 5)
            #expect(dialog.deliver(to: "slow+1@example.net") == 250)
            #expect(dialog.deliver(to: "close+1@example.net") == nil)
            dialog = try #require(SMTPDialog.greeted(port: port))
            #expect(dialog.deliver(to: "drop-after-dot+1@example.net") == nil)
            dialog = try #require(SMTPDialog.greeted(port: port))
            #expect(dialog.deliver(to: "Drop-After-Dot+1@example.net") == 250)
            #expect(sink.copies(of: "DROP-after-dot+1@example.net") == 2)
            #expect(sink.copies(of: "bounce+1@example.net") == 0)
        }
        #expect(totals.copies == 4)
        #expect(totals.messages == 4)
        #expect(totals.recipients == 3)
        #expect(totals.duplicates == 1)
        #expect(totals.permanent == 2)
        #expect(totals.closedConnections == 1)
        #expect(totals.dropsAfterDot == 1)
        #expect(totals.connections == 3)
    }

    @Test func `who is put off once is taken later`() async throws {
        let totals = try await withSink({ $0.policy.busyShare = 0 }) { port, _ in
            let dialog = try #require(SMTPDialog.greeted(port: port))
            #expect(dialog.deliver(to: "defer+1@example.net").map { $0 / 100 } == 4)
            #expect(dialog.deliver(to: "defer+1@example.net") == 250)
            for _ in 1...3 { #expect(dialog.deliver(to: "deferalways+1@example.net").map { $0 / 100 } == 4) }
        }
        #expect(totals.temporary == 4)
        #expect(totals.copies == 1)
    }

    @Test func `all that is put off succeeds at the retry`() async throws {
        let totals = try await withSink({ $0.policy.deferShare = 0.5 }) { port, _ in
            var dialog = try #require(SMTPDialog.greeted(port: port))
            for number in 0..<60 {
                for attempt in 1...2 {
                    let code = dialog.deliver(to: "u\(number)@example.net")
                    if code == 421 || code == nil { dialog = try #require(SMTPDialog.greeted(port: port)) }
                    if code == 250 { break }
                    #expect(attempt == 1)
                }
            }
        }
        #expect(totals.recipients == 60)
        #expect(totals.copies == 60)
        #expect(totals.temporary > 15)
    }

    @Test func `a recipient with a fate of its own gets a transaction of its own`() async throws {
        let totals = try await withSink { port, _ in
            let dialog = try #require(SMTPDialog.greeted(port: port))
            #expect(dialog.deliver(to: "a@example.net", "b@example.net") == 250)
            #expect(dialog.deliver(to: "a@example.net", "reject-data+1@example.net") == 452)
            #expect(dialog.deliver(to: "reject-data+1@example.net", "a@example.net") == 452)
        }
        #expect(totals.messages == 1)
        #expect(totals.copies == 2)
        #expect(totals.temporary == 0)
    }

    @Test func `malformed content is counted, not taken`() async throws {
        let totals = try await withSink { port, _ in
            let dialog = try #require(SMTPDialog.greeted(port: port))
            #expect(dialog.deliver(to: "a@example.net", message: "Subject: x\r\n\r\nbare\nfeed") == 550)
            #expect(dialog.deliver(to: "a@example.net", message: String(repeating: "x", count: 999)) == 550)
        }
        #expect(totals.malformed == 2)
        #expect(totals.copies == 0)
    }

    @Test func `the log is complete before the reply`() async throws {
        try await withTemporaryFolder { folder in
            let path = folder + "/sink.log"
            _ = try await withSink({
                $0.log = SmartSinkConfiguration.Log(path: path, recipient: .plain)
                $0.policy.busyShare = 0
            }) { port, _ in
                let dialog = try #require(SMTPDialog.greeted(port: port))
                func columns() throws -> [[String]] {
                    try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").map {
                        Array($0.split(separator: "\t").map(String.init).dropFirst())
                    }
                }
                #expect(dialog.deliver(to: "a@x.org", "b@x.org") == 250)
                #expect(
                    try columns() == [
                        ["accepted", "250", "a@x.org", "m@x.org"], ["accepted", "250", "b@x.org", "m@x.org"],
                    ])
                #expect(dialog.deliver(to: "bounce+1@mail.ru") == 550)
                #expect(dialog.deliver(to: "deferalways+1@mail.ru", message: "x") == 451)
                #expect(
                    dialog.deliver(
                        to: "c@x.org",
                        message: "X: y\r\nmessage-id:\r\n\t<folded@x.org>\r\nZ: z\r\n\r\nMessage-ID: <no@x>")
                        == 250)
                #expect(dialog.deliver(to: "d@x.org", message: "X: y\r\n\r\nMessage-ID: <no@x>") == 250)
                #expect(dialog.deliver(to: "drop-after-dot+1@x.org") == nil)
                #expect(
                    try columns().dropFirst(2) == [
                        ["permanent", "550", "bounce+1@mail.ru", "-"],
                        ["temporary", "451", "deferalways+1@mail.ru", "-"],
                        ["accepted", "250", "c@x.org", "folded@x.org"], ["accepted", "250", "d@x.org", "-"],
                        ["dropped", "0", "drop-after-dot+1@x.org", "m@x.org"],
                    ])
            }
        }
    }

    @Test func `a hashed and buffered log is whole after the end`() async throws {
        try await withTemporaryFolder { folder in
            let path = folder + "/sink.log"
            _ = try await withSink({ $0.log = SmartSinkConfiguration.Log(path: path, isBuffered: true) }) { port, _ in
                let dialog = try #require(SMTPDialog.greeted(port: port))
                #expect(dialog.deliver(to: "A@x.org") == 250)
            }
            let text = try String(contentsOfFile: path, encoding: .utf8)
            // printf %s a@x.org | sha256sum
            #expect(text.contains("\taccepted\t250\t\(Self.digestOfA)\tm@x.org\n"))
        }
    }

    private static let digestOfA = "907d7bf93d60cbe6565458bb0fe7e8fac60dffe3561e27cce320947f1a13ef8b"

    @Test func `a log that cannot be opened is named`() async throws {
        let error = await #expect(throws: SmartSinkError.self) {
            _ = try await withSink({ $0.log = SmartSinkConfiguration.Log(path: "/nowhere/sink.log") }) { _, _ in }
        }
        #expect(error?.code == .logNotWritable)
    }

    @Test func `messages are captured before the reply`() async throws {
        try await withTemporaryFolder { folder in
            for round in 1...2 {
                _ = try await withSink({ $0.captureDirectory = folder + "/mails" }) { port, _ in
                    let dialog = try #require(SMTPDialog.greeted(port: port))
                    #expect(dialog.deliver(to: "a@x.org", "b@x.org", message: "Subject: x\r\n\r\n..dot") == 250)
                    let name = folder + "/mails/0000000\(round)"
                    #expect(try String(contentsOfFile: name + ".eml", encoding: .utf8) == "Subject: x\r\n\r\n.dot\r\n")
                    let sidecar = try Data(contentsOf: URL(fileURLWithPath: name + ".json"))
                    let envelope = try JSONDecoder().decode(SinkCapture.Envelope.self, from: sidecar)
                    #expect(envelope.sender == "a@example.org")
                    #expect(envelope.recipients == ["a@x.org", "b@x.org"])
                    #expect(envelope.octets == 20)
                    #expect(!envelope.tls)
                }
            }
        }
    }

    @Test func `signatures are checked, and all of them by the end`() async throws {
        let domain = try DomainName("example.org")
        let key = try DKIMKey.generate(.rsaSHA256)
        let signer = try DKIMSigner(domain: domain, keys: [(selector: "s1", key: key)])
        let message = Array(
            "From: a@example.org\r\nSubject: x\r\nDate: Thu, 1 Jan 2026 00:00:00 +0000\r\n\r\nhello\r\n".utf8)
        let offset = message.count - "hello\r\n".utf8.count
        let fields = String(
            decoding: try signer.sign(message, bodyOffset: offset, at: SinkLog.milliseconds() / 1_000), as: UTF8.self)
        // CRLF is one Character; the dialog adds it again.
        let signed = fields + String(decoding: message, as: UTF8.self).dropLast()
        let totals = try await withSink({
            $0.keys = ["s1._domainkey.example.org": key.dnsRecord]
            $0.verifyShare = 1
        }) { port, _ in
            let dialog = try #require(SMTPDialog.greeted(port: port))
            for _ in 0..<300 { #expect(dialog.deliver(to: "a@x.org", message: signed) == 250) }
            #expect(dialog.deliver(to: "a@x.org", message: signed + "!") == 250)
            #expect(dialog.deliver(to: "a@x.org") == 250)
        }
        #expect(totals.dkimPass == 300)
        #expect(totals.dkimFail == 2)
    }

    @Test func `totals go through JSON and back`() throws {
        var totals = SinkTotals()
        totals.dkimPass = 3
        totals.dropsAfterDot = 2
        let data = try JSONEncoder().encode(totals)
        #expect(String(decoding: data, as: UTF8.self).contains("\"drops_after_dot\":2"))
        #expect(try JSONDecoder().decode(SinkTotals.self, from: data) == totals)
    }
}
