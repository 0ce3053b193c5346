import Foundation
import NIOConcurrencyHelpers
import NIOCore
import SMTPProtocol
import SMTPTransport
import TestSupport
import Testing

@Suite struct ListenerTests {
    @Test func `a session over a socket`() async throws {
        let handler = RecordingHandler()
        try await withListener(handler) { port, _ in
            let client = try #require(SMTPDialog(port: port))
            #expect(client.code() == 220)
            #expect(client.askEach("EHLO x") == [250])
            client.send("MAIL FROM:<a@x.org>\r\nRCPT TO:<b@x.org>\r\nDATA\r\n")
            #expect(client.codes(3) == [250, 250, 354])
            client.send("Subject: x\r\n\r\n..\r\n.\r\nQUIT\r\n")
            #expect(client.codes(3) == [250, 221, nil])
        }
        #expect(handler.seen.withLockedValue { $0.messages } == ["Subject: x\r\n\r\n.\r\n"])
        #expect(handler.seen.withLockedValue { $0.closed } == 1)
    }

    @Test func `a large message in one go and many connections at once`() async throws {
        let handler = RecordingHandler()
        let body = String(repeating: String(repeating: "x", count: 70) + "\r\n", count: 10_000)
        try await withListener(handler) { port, listener in
            let clients = try (0..<20).map { _ in try #require(SMTPDialog(port: port)) }
            for client in clients {
                #expect(client.code() == 220)
                #expect(
                    client.askEach("EHLO x", "MAIL FROM:<a@x.org>", "RCPT TO:<b@x.org>", "DATA") == [
                        250, 250, 250, 354,
                    ])
            }
            #expect(listener.connectionCount == 20)
            for client in clients {
                client.send(body)
                #expect(client.askEach(".", "QUIT") == [250, 221])
            }
        }
        #expect(
            handler.seen.withLockedValue { $0.messages.map(\.utf8.count) }
                == [Int](repeating: body.utf8.count, count: 20))
    }

    @Test func `decisions may be late, futures, or the end`() async throws {
        let handler = RecordingHandler(answers: [
            "late": { _ in .delay(.milliseconds(20), then: .reply(SMTPReply(250, nil, "Late"))) },
            "future": { loop in
                .future(loop.scheduleTask(in: .milliseconds(5)) { .reply(SMTPReply(550, nil, "Future")) }.futureResult)
            },
            "failing": { loop in .future(loop.makeFailedFuture(ChannelError.alreadyClosed)) },
            "drop": { _ in .close(nil) },
            "busy": { _ in .reply(SMTPReply(421, nil, "Busy")) },
        ])
        try await withListener(handler) { port, _ in
            var client = try #require(SMTPDialog(port: port))
            #expect(client.code() == 220)
            #expect(client.askEach("EHLO x") == [250])
            // Replies keep their order even where the first is the latest.
            client.send("MAIL FROM:<a@x.org>\r\nRCPT TO:<late@x.org>\r\nRCPT TO:<future@x.org>\r\nNOOP\r\n")
            #expect(client.codes(4) == [250, 250, 550, 250])
            #expect(client.askEach("RCPT TO:<failing@x.org>", "NOOP") == [451, nil])
            for (recipient, code) in [("drop", nil), ("busy", 421)] {
                client = try #require(SMTPDialog(port: port))
                #expect(client.code() == 220)
                #expect(
                    client.askEach("EHLO x", "MAIL FROM:<a@x.org>", "RCPT TO:<\(recipient)@x.org>") == [250, 250, code])
                #expect(client.code() == nil)
            }
        }
    }

    @Test func `too many connections are told so`() async throws {
        try await withListener(RecordingHandler(), { $0.maximumConnections = 2 }) { port, _ in
            let first = try #require(SMTPDialog(port: port))
            let second = try #require(SMTPDialog(port: port))
            #expect(first.code() == 220)
            #expect(second.code() == 220)
            let third = try #require(SMTPDialog(port: port))
            #expect(third.code() == 421)
            #expect(third.code() == nil)
        }
    }

    @Test func `a client that is silent is let go`() async throws {
        try await withListener(RecordingHandler(), { $0.timeouts.command = .milliseconds(50) }) { port, _ in
            let client = try #require(SMTPDialog(port: port))
            #expect(client.code() == 220)
            #expect(client.code() == 421)
            #expect(client.code() == nil)
        }
    }

    @Test func `content that drips for too long is cut off`() async throws {
        try await withListener(
            RecordingHandler(),
            {
                $0.timeouts.block = .milliseconds(100)
                $0.contentTimeout = .milliseconds(200)
            }
        ) { port, _ in
            let client = try #require(SMTPDialog(port: port))
            #expect(client.code() == 220)
            #expect(
                client.askEach("EHLO x", "MAIL FROM:<a@x.org>", "RCPT TO:<b@x.org>", "DATA") == [250, 250, 250, 354])
            for _ in 0..<200 {
                client.send("x")
                try await Task.sleep(for: .milliseconds(5))
            }
            #expect(client.code() == 421)
        }
    }

    @Test func `shutting down says so to idle clients and frees the port`() async throws {
        try await withListener { port, listener in
            let client = try #require(SMTPDialog(port: port))
            #expect(client.code() == 220)
            await listener.shutdown()
            #expect(client.code() == 421)
            #expect(client.code() == nil)
            #expect(SMTPDialog(port: port) == nil)
            #expect(listener.connectionCount == 0)
        }
    }

    @Test func `a port in use is named`() async throws {
        try await withListener { port, _ in
            let error = await #expect(throws: SMTPListenerError.self) {
                try await withListener(RecordingHandler(), { $0.port = port }) { _, _ in }
            }
            #expect(error?.code == .addressInUse)
            #expect(error?.description == "port \(port) of 127.0.0.1 is in use")
        }
    }

    @Test func `an address of another machine is named`() async throws {
        let error = await #expect(throws: SMTPListenerError.self) {
            try await withListener(RecordingHandler(), { $0.host = "192.0.2.1" }) { _, _ in }
        }
        #expect(error?.code == .addressNotAvailable)
    }

    @Test func `missing and mismatched certificates are told apart`() async throws {
        let missing = #expect(throws: TLSIdentityError.self) {
            try TLSIdentity(certificateFile: "/nowhere/c.pem", privateKeyFile: "/nowhere/k.pem")
        }
        #expect(missing?.code == .certificateUnreadable)
        guard let one = try await ProgramRun.makeCertificate(), let two = try await ProgramRun.makeCertificate() else {
            return
        }
        defer { for folder in [one.folder, two.folder] { try? FileManager.default.removeItem(at: folder) } }
        let keyless = #expect(throws: TLSIdentityError.self) {
            try TLSIdentity(certificateFile: one.certificate, privateKeyFile: "/nowhere/k.pem")
        }
        #expect(keyless?.code == .privateKeyUnreadable)
        let mixed = #expect(throws: TLSIdentityError.self) {
            try TLSIdentity(certificateFile: one.certificate, privateKeyFile: two.key)
        }
        #expect(mixed?.code == .mismatch)
    }
}
