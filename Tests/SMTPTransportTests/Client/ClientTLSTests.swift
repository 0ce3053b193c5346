import NIOCore
import NIOPosix
import NIOSSL
import SMTPProtocol
import SMTPTransport
import Testing

private typealias Script = ScriptedServer.Script

private func encryptingScript(_ certificate: TestCertificate) -> Script {
    var script = Script(keywords: ["PIPELINING", "STARTTLS"])
    script.identity = certificate.serverContext
    return script
}

@Test(.timeLimit(.minutes(1)), arguments: [SMTPClientConfiguration.TLSPolicy.opportunistic, .required(verify: false)])
private func `mail goes over TLS where it is offered`(policy: SMTPClientConfiguration.TLSPolicy) async throws {
    guard let certificate = TestCertificate.shared else { return }
    let server = try await ScriptedServer(encryptingScript(certificate))
    let connection = try await open(server, clientConfiguration(policy))
    #expect(connection.isEncrypted)
    #expect(!connection.extensions.startTLS)
    #expect(await connection.deliver(makeEnvelope(), shortMessage).verdict == .accepted)
    #expect(server.seen.commands.prefix(3) == ["EHLO client.example", "STARTTLS", "EHLO client.example"])
    await connection.quit()
    #expect(server.seen.encryptedConnections == 1)
}

@Test(.timeLimit(.minutes(1)))
private func `a certificate is checked where the policy says so`() async throws {
    guard let certificate = TestCertificate.shared else { return }
    let server = try await ScriptedServer(encryptingScript(certificate))
    var configuration = clientConfiguration(.required(verify: true))
    func attempt(host: String) async -> SMTPConnectFailure? {
        await failure { () async throws(SMTPConnectFailure) in
            let connection = try await SMTPConnection.connect(
                to: server.target(host: host), configuration: configuration,
                group: .singletonMultiThreadedEventLoopGroup, logger: quietLogger)
            #expect(connection.isEncrypted)
            await connection.quit()
        }
    }
    #expect(await attempt(host: "mx.example")?.report.cause == .certificateNotTrusted, "nobody vouches for it")
    configuration.trustRootsFile = certificate.certificateFile
    #expect(await attempt(host: "mx.example") == nil)
    #expect(await attempt(host: "mx.example.") == nil)
    #expect(await attempt(host: "other.example")?.report.cause == .certificateNameMismatch, "it belongs to another")
    #expect(!server.seen.commands.contains { $0.hasPrefix("MAIL") })
}

@Test(.timeLimit(.minutes(1)))
private func `a broken handshake is forgiven where TLS is a bonus`() async throws {
    let broken = Script(keywords: ["STARTTLS"]) { $0 == "STARTTLS" ? [.write("220 go\r\n"), .close] : nil }
    let server = try await ScriptedServer(broken)
    let connection = try await open(server)
    #expect(!connection.isEncrypted)
    #expect(await connection.deliver(makeEnvelope(), shortMessage).verdict == .accepted)
    #expect(server.seen.connections == 2)
    await connection.quit()
}

@Test(.timeLimit(.minutes(1)))
private func `a broken handshake is final where TLS is required`() async throws {
    let broken = Script(keywords: ["STARTTLS"]) { $0 == "STARTTLS" ? [.write("220 go\r\n"), .close] : nil }
    let server = try await ScriptedServer(broken)
    let configuration = clientConfiguration(.required(verify: false))
    let error = await failure { () async throws(SMTPConnectFailure) in _ = try await open(server, configuration) }
    #expect(error?.phase == .startTLS)
    #expect(error?.verdict == .temporary)
    #expect(server.seen.connections == 1)
}

@Test(.timeLimit(.minutes(1)))
private func `a stalled handshake times out`() async throws {
    // Long enough for the answer to STARTTLS on a busy machine: the clock starts anew for the handshake.
    let stalled = Script(keywords: ["STARTTLS"]) { $0 == "STARTTLS" ? [.write("220 go\r\n")] : nil }
    let server = try await ScriptedServer(stalled)
    let configuration = clientConfiguration(.required(verify: false)) { $0.startTLS = .seconds(2) }
    let error = await failure { () async throws(SMTPConnectFailure) in _ = try await open(server, configuration) }
    #expect(error?.phase == .startTLS)
    #expect(error?.report.cause == .tlsFailed)
}

/// CVE-2021-38371: what someone in between adds to the plaintext must not be taken for words of the server. Going on
/// without TLS would be no answer either.
@Test(.timeLimit(.minutes(1)))
private func `bytes behind the answer to STARTTLS end the connection`() async throws {
    let injected = Script(keywords: ["STARTTLS"]) {
        $0 == "STARTTLS" ? [.write("220 go\r\n250-mx.example\r\n250 AUTH PLAIN\r\n")] : nil
    }
    let server = try await ScriptedServer(injected)
    let error = await failure { () async throws(SMTPConnectFailure) in _ = try await open(server) }
    #expect(error?.report.cause == .inputBeforeTLS)
    try await server.wait { $0.closed == 1 }
    #expect(server.seen.connections == 1)
}

@Test(.timeLimit(.minutes(1)))
private func `TLS from the first octet, and no word before it`() async throws {
    guard let certificate = TestCertificate.shared else { return }
    var script = Script(keywords: ["PIPELINING", "AUTH PLAIN"]) {
        $0.hasPrefix("AUTH") ? [.write("235 welcome\r\n")] : nil
    }
    script.identity = certificate.serverContext
    script.greeting = [.startTLS, .write("220 mx.example\r\n")]
    let server = try await ScriptedServer(script)
    var configuration = clientConfiguration(
        .required(verify: true), credentials: SMTPCredentials(username: "user", password: "secret"))
    configuration.startsWithTLS = true
    configuration.trustRootsFile = certificate.certificateFile
    let connection = try await SMTPConnection.connect(
        to: server.target(host: "mx.example"), configuration: configuration,
        group: .singletonMultiThreadedEventLoopGroup, logger: quietLogger)
    #expect(connection.isVerified)
    #expect(server.seen.commands == ["EHLO client.example", "AUTH PLAIN AHVzZXIAc2VjcmV0"])
    #expect(await connection.deliver(makeEnvelope(), shortMessage).verdict == .accepted)
    await connection.quit()
}

@Test(.timeLimit(.minutes(1)))
private func `a server that greets in plaintext gets nothing where TLS is to come first`() async throws {
    let server = try await ScriptedServer(Script(keywords: ["AUTH PLAIN"]))
    var configuration = clientConfiguration(
        .required(verify: false),
        credentials: SMTPCredentials(username: "user", password: "secret", allowsPlaintext: true))
    configuration.startsWithTLS = true
    let error = await failure { () async throws(SMTPConnectFailure) in _ = try await open(server, configuration) }
    #expect(error?.report.cause == .tlsFailed)
    #expect(!server.seen.commands.contains { $0.contains("EHLO") || $0.contains("AUTH") })
}
