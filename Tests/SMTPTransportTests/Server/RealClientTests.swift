import Foundation
import NIOConcurrencyHelpers
import NIOCore
import SMTPProtocol
import SMTPTransport
import TestSupport
import Testing

/// Programs that others wrote, against our listener.
@Suite struct RealClientTests {
    @Test func `swaks delivers over STARTTLS`() async throws {
        guard let swaks = ProgramRun.find("swaks"), let made = try await ProgramRun.makeCertificate() else { return }
        defer { try? FileManager.default.removeItem(at: made.folder) }
        let identity = try TLSIdentity(certificateFile: made.certificate, privateKeyFile: made.key)
        let handler = RecordingHandler()
        try await withListener(handler, { $0.identity = identity }) { port, _ in
            let run = try await ProgramRun.run(
                swaks,
                [
                    "--server", "127.0.0.1:\(port)", "--tls", "--from", "a@example.org", "--to",
                    "b@example.net,c@example.net",
                    "--header", "Subject: dots", "--body", ".\n..\n.x\nend\n", "--pipeline", "--helo", "client.example",
                ])
            #expect(run.status == 0, "\(run.output)")
        }
        let seen = handler.seen.withLockedValue { $0 }
        #expect(seen.secured == 1)
        #expect(seen.messages.count == 1)
        #expect(seen.messages.first?.contains("\r\n\r\n.\r\n..\r\n.x\r\nend\r\n") == true)
    }

    @Test func `openssl negotiates TLS and the session starts over`() async throws {
        guard let openssl = ProgramRun.find("openssl"), let made = try await ProgramRun.makeCertificate() else {
            return
        }
        defer { try? FileManager.default.removeItem(at: made.folder) }
        let identity = try TLSIdentity(certificateFile: made.certificate, privateKeyFile: made.key)
        let handler = RecordingHandler()
        try await withListener(handler, { $0.identity = identity }) { port, _ in
            for version in ["-tls1_2", "-tls1_3"] {
                let run = try await ProgramRun.run(
                    openssl, ["s_client", "-starttls", "smtp", "-connect", "127.0.0.1:\(port)", version, "-brief"])
                #expect(run.output.contains("CONNECTION ESTABLISHED"), "\(run.output)")
            }
            let old = try await ProgramRun.run(
                openssl, ["s_client", "-starttls", "smtp", "-connect", "127.0.0.1:\(port)", "-tls1_1", "-brief"])
            #expect(!old.output.contains("CONNECTION ESTABLISHED"))
        }
        #expect(handler.seen.withLockedValue { $0.secured } == 2)
    }

    @Test func `commands injected before the handshake never reach the session`() async throws {
        guard let made = try await ProgramRun.makeCertificate() else { return }
        defer { try? FileManager.default.removeItem(at: made.folder) }
        let identity = try TLSIdentity(certificateFile: made.certificate, privateKeyFile: made.key)
        let handler = RecordingHandler()
        try await withListener(handler, { $0.identity = identity }) { port, _ in
            let client = try #require(SMTPDialog(port: port))
            #expect(client.code() == 220)
            #expect(client.askEach("EHLO x") == [250])
            client.send("STARTTLS\r\nEHLO evil\r\nMAIL FROM:<evil@x.org>\r\nNOOP\r\n")
            #expect(client.code() == 220)
            // What comes now is no handshake, so that the connection ends without another word.
            client.send("NOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\n")
            #expect(client.reply()?.contains("250") != true)
        }
        #expect(handler.seen.withLockedValue { $0.secured } == 0)
    }

    @Test func `smtp-source delivers many`() async throws {
        guard let source = ProgramRun.find("smtp-source") else { return }
        let handler = RecordingHandler()
        try await withListener(handler) { port, _ in
            let run = try await ProgramRun.run(
                source,
                [
                    "-c", "-s", "10", "-m", "500", "-l", "4096", "-f", "a@example.org", "-t", "b@example.net",
                    "127.0.0.1:\(port)",
                ])
            #expect(run.status == 0, "\(run.output)")
        }
        #expect(handler.seen.withLockedValue { $0.messages.count } == 500)
    }
}
