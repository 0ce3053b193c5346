import MailTypes
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import NIOSSL
import SMTPProtocol
import SMTPTransport
import TestPeers
import Testing
import X509

/// Real handshakes: what each policy makes of each certificate and of each attempt to get around it.
@Suite(.timeLimit(.minutes(2))) struct TLSPolicyTests {
    private let authority: TestAuthority

    init() throws { authority = try TestAuthority() }

    /// How a connection ended, and what was told for counting.
    private struct Result: Equatable, CustomStringConvertible {
        var session: String
        var told: [DeliveryReport.Cause?]
        var description: String { "\(session), told \(told.map { $0.map { "\($0)" } ?? "success" })" }

        init(_ session: String, _ told: DeliveryReport.Cause??...) {
            self.session = session
            self.told = told.compactMap { $0 }
        }

        init(session: String, told: [DeliveryReport.Cause?]) {
            self.session = session
            self.told = told
        }

        static func refused(_ cause: DeliveryReport.Cause) -> Result { Result("\(cause)", .some(cause)) }
        static let success: DeliveryReport.Cause?? = .some(nil)
    }

    private func result(
        _ server: ScriptedServer, _ policy: SMTPTLSPolicy, host: String = "mx.example", handshake: Duration? = nil
    ) async -> Result {
        let told = NIOLockedValueBox<[DeliveryReport.Cause?]>([])
        // A policy of the target counts, not that of the configuration.
        var configuration = clientConfiguration(.never) { if let handshake { $0.startTLS = handshake } }
        configuration.trustRootsFile = authority.rootsFile
        configuration.onTLSOutcome = { outcome in told.withLockedValue { $0.append(outcome.fault) } }
        let target = SMTPTarget(host: host, address: server.target.address, port: server.port, tls: policy)
        let session: String
        do {
            let connection = try await SMTPConnection.connect(
                to: target, configuration: configuration, group: .singletonMultiThreadedEventLoopGroup,
                logger: quietLogger)
            session = connection.isVerified ? "verified" : connection.isEncrypted ? "encrypted" : "plain"
            await connection.quit()
        } catch {
            #expect(error.verdict == .temporary)
            #expect(error.report.blame == .connection)
            session = error.report.cause == .refused ? "refused" : "\(error.report.cause)"
        }
        return Result(session: session, told: told.withLockedValue { $0 })
    }

    private func server(_ identity: TestAuthority.Identity) async throws -> ScriptedServer {
        var script = ScriptedServer.Script(keywords: ["PIPELINING", "STARTTLS"])
        script.identity = try identity.serverContext()
        return try await ScriptedServer(script)
    }

    private func identities() throws -> [(String, TestAuthority.Identity, DeliveryReport.Cause?)] {
        [
            ("valid", try authority.identity(), nil),
            ("through an intermediate", try authority.identity(levels: 2), nil),
            ("a wildcard", try authority.identity(["*.example"]), nil),
            ("another beside it", try authority.identity(["a.example", "mx.example"]), nil),
            ("no purpose", try authority.identity(usage: nil), nil),
            ("expired", try authority.identity(validity: TestAuthority.yesterday), .certificateExpired),
            ("not valid yet", try authority.identity(validity: TestAuthority.tomorrow), .certificateExpired),
            ("wrong name", try authority.identity(["other.example"]), .certificateNameMismatch),
            ("a wildcard too high", try authority.identity(["*"]), .certificateNameMismatch),
            ("self-signed", try TestAuthority.selfSigned(), .certificateNotTrusted),
            ("unknown authority", try TestAuthority().identity(), .certificateNotTrusted),
            ("unknown, shown", try TestAuthority("Other").identity(showsRoot: true), .certificateNotTrusted),
            ("for clients", try authority.identity(usage: .clientAuth), .certificateNotTrusted),
        ]
    }

    @Test func `each certificate under each policy`() async throws {
        for (name, identity, fault) in try identities() {
            let server = try await server(identity)
            let told: DeliveryReport.Cause?? = .some(fault)
            let own = SMTPTLSPolicy.dane(
                DANEPolicy(records: [identity.record(.endEntity, .publicKey, .sha256, at: 0)], baseName: "mx.example"))
            let foreign = SMTPTLSPolicy.dane(
                DANEPolicy(
                    records: [try authority.identity().record(.endEntity, .publicKey, .sha256, at: 0)],
                    baseName: "mx.example"))
            for (policy, expected) in [
                (SMTPTLSPolicy.never, Result("plain")), (.opportunistic, Result("encrypted", Result.success)),
                (.testing, Result("encrypted", told)), (.required(verify: false), Result("encrypted", Result.success)),
                (.required(verify: true), fault.map { Result.refused($0) } ?? Result("verified", Result.success)),
                (own, Result("verified", Result.success)), (foreign, .refused(.tlsaMismatch)),
                (.refused(.tlsaUnavailable), .refused(.tlsaUnavailable)),
            ] {
                let result = await result(server, policy)
                #expect(result == expected, "\(name) under \(policy)")
            }
            #expect(!server.seen.commands.contains { $0.hasPrefix("MAIL") })
        }
    }

    @Test func `a missing intermediate breaks the chain`() async throws {
        let whole = try authority.identity(levels: 1)
        let broken = TestAuthority.Identity(key: whole.key, chain: [whole.chain[0]])
        let server = try await server(broken)
        #expect(await result(server, .required(verify: true)) == .refused(.certificateNotTrusted))
    }

    @Test func `an issuer that is no authority vouches for nobody`() async throws {
        let impostor = try authority.identity(["evil.example"])
        let victim = try TestAuthority.forged(by: impostor, names: ["mx.example"])
        let server = try await server(victim)
        #expect(await result(server, .required(verify: true)) == .refused(.certificateNotTrusted))
    }

    @Test func `the system's authorities do not know the test's`() async throws {
        let server = try await server(try authority.identity())
        let configuration = clientConfiguration(.required(verify: true))
        let error = await failure { () async throws(SMTPConnectFailure) in _ = try await open(server, configuration) }
        #expect(error?.report.cause == .certificateNotTrusted)
    }

    // MARK: DANE

    @Test(arguments: [TLSARecord.Usage.trustAnchor, .endEntity], [TLSARecord.Selector.certificate, .publicKey])
    func `TLSA records match what they name`(usage: TLSARecord.Usage, selector: TLSARecord.Selector) async throws {
        let identity = try authority.identity(levels: 1, showsRoot: true)
        let server = try await server(identity)
        for matching in [TLSARecord.Matching.exact, .sha256, .sha512] {
            for index in 0..<3 {
                let record = identity.record(usage, selector, matching, at: index)
                let fits = (index == 0) == (usage == .endEntity)
                let policy = SMTPTLSPolicy.dane(DANEPolicy(records: [record], baseName: "mx.example"))
                let expected = fits ? Result("verified", Result.success) : .refused(.tlsaMismatch)
                #expect(await result(server, policy) == expected, "\(record) at \(index)")
                let spoilt = TLSARecord(usage, selector, matching, record.data.dropLast() + [record.data.last! ^ 1])
                let spoiltPolicy = SMTPTLSPolicy.dane(DANEPolicy(records: [spoilt], baseName: "mx.example"))
                #expect(await result(server, spoiltPolicy) == .refused(.tlsaMismatch), "\(spoilt)")
                // One that fits is enough.
                let both = SMTPTLSPolicy.dane(DANEPolicy(records: [record, spoilt], baseName: "mx.example"))
                #expect(await result(server, both) == expected, "\(record) and another")
            }
        }
    }

    @Test func `a trust anchor's chain must be whole, valid and for one of the names`() async throws {
        func check(
            _ identity: TestAuthority.Identity, names: Set<String> = [], host: String = "mx.example",
            _ expected: Result, _ comment: Comment
        ) async throws {
            let server = try await server(identity)
            let record = identity.record(.trustAnchor, .publicKey, .sha256, at: identity.chain.count - 1)
            let policy = SMTPTLSPolicy.dane(DANEPolicy(records: [record], baseName: "mx.example", names: names))
            #expect(await result(server, policy, host: host) == expected, comment)
        }
        let verified = Result("verified", Result.success)
        try await check(try authority.identity(showsRoot: true), verified, "the base name")
        try await check(
            try authority.identity(["d.example"], showsRoot: true), names: ["d.example"], verified, "the domain")
        try await check(
            try authority.identity(["other.example"], showsRoot: true), names: ["d.example"],
            .refused(.certificateNameMismatch), "neither")
        try await check(
            try authority.identity(validity: TestAuthority.yesterday, showsRoot: true), .refused(.certificateExpired),
            "expired")
        let unrelated = try TestAuthority().root
        let broken = try authority.identity()
        try await check(
            TestAuthority.Identity(key: broken.key, chain: broken.chain + [unrelated]),
            .refused(.certificateNotTrusted), "an anchor that signed nothing")
        let outside = try TestAuthority("Other").identity(levels: 1, showsRoot: true)
        try await check(outside, verified, "no root of ours is asked")
    }

    @Test func `records that other tools make match`() async throws {
        guard let certificate = TestCertificate.shared, let shell = ProgramRun.find("sh") else { return }
        var script = ScriptedServer.Script(keywords: ["STARTTLS"])
        script.identity = certificate.serverContext
        let server = try await ScriptedServer(script)
        let file = certificate.certificateFile
        for (selector, command) in [
            (TLSARecord.Selector.certificate, "openssl x509 -in \(file) -outform DER"),
            (.publicKey, "openssl x509 -in \(file) -noout -pubkey | openssl pkey -pubin -outform DER"),
        ] {
            for (matching, digest) in [(TLSARecord.Matching.sha256, "sha256"), (.sha512, "sha512")] {
                let run = try await ProgramRun.run(shell, ["-c", "\(command) | openssl dgst -\(digest) -r"])
                let text = run.output.prefix { $0 != " " }
                let data = stride(from: 0, to: text.utf8.count, by: 2).compactMap { offset in
                    UInt8(text.dropFirst(offset).prefix(2), radix: 16)
                }
                let record = TLSARecord(.endEntity, selector, matching, data)
                let policy = SMTPTLSPolicy.dane(DANEPolicy(records: [record], baseName: "mx.example"))
                #expect(await result(server, policy) == Result("verified", Result.success), "\(record)")
            }
        }
    }

    @Test func `a stale weaker digest does not stand in for a stronger one`() async throws {
        let identity = try authority.identity()
        let server = try await server(identity)
        let old = try authority.identity()
        let records: Set = [
            identity.record(.endEntity, .publicKey, .sha256, at: 0), old.record(.endEntity, .publicKey, .sha512, at: 0),
        ]
        let policy = SMTPTLSPolicy.dane(DANEPolicy(records: records, baseName: "mx.example"))
        #expect(await result(server, policy) == .refused(.tlsaMismatch))
    }

    // MARK: Downgrades

    private enum Attack: CaseIterable {
        case stripped, refused, closed, stalled, garbage, oldVersion, injected

        /// Long enough for the answer to STARTTLS on a busy machine: the clock starts anew for the handshake.
        var patience: Duration? { self == .stalled ? .seconds(3) : nil }
    }

    private func server(_ attack: Attack) async throws -> ScriptedServer {
        switch attack {
        case .stripped: return try await ScriptedServer(ScriptedServer.Script(keywords: ["PIPELINING"]))
        case .refused:
            return try await ScriptedServer(reacting([.write("454 4.7.0 TLS not available\r\n")]))
        case .closed: return try await ScriptedServer(reacting([.write("220 go\r\n"), .close]))
        case .stalled: return try await ScriptedServer(reacting([.write("220 go\r\n"), .stopReading]))
        case .garbage:
            // Words where the handshake should be.
            var script = reacting([.write("220 go\r\n")])
            script.answerToBinary = "500 what?\r\n"
            return try await ScriptedServer(script)
        case .oldVersion:
            var script = ScriptedServer.Script(keywords: ["STARTTLS"])
            script.identity = try authority.identity().serverContext(
                maximumVersion: .tlsv11, minimumVersion: .tlsv1)
            return try await ScriptedServer(script)
        case .injected:
            return try await ScriptedServer(reacting([.write("220 go\r\n250 injected\r\n")]))
        }
    }

    private func reacting(_ steps: [ScriptedServer.Step]) -> ScriptedServer.Script {
        ScriptedServer.Script(keywords: ["STARTTLS"]) { $0 == "STARTTLS" ? steps : nil }
    }

    @Test(arguments: Attack.allCases)
    private func `nothing is sent in plaintext where the policy demands TLS`(attack: Attack) async throws {
        let record = try authority.identity().record(.endEntity, .publicKey, .sha256, at: 0)
        let demanding: [SMTPTLSPolicy] = [
            .required(verify: false), .required(verify: true),
            .dane(DANEPolicy(records: [record], baseName: "mx.example")),
        ]
        let expected: Result =
            switch attack {
            case .stripped: .refused(.tlsNotOffered)
            case .refused: Result("refused", .some(.tlsNotOffered))
            case .closed, .stalled, .garbage, .oldVersion: .refused(.tlsFailed)
            case .injected: .refused(.inputBeforeTLS)
            }
        for policy in demanding {
            let server = try await server(attack)
            let result = await result(server, policy, handshake: attack.patience)
            #expect(result == expected, "\(attack) under \(policy)")
            #expect(server.seen.connections == 1)
            let allowed = ["EHLO client.example", "STARTTLS", "QUIT"]
            // A handshake looks like a line of binary to this server.
            let lines = server.seen.commands.filter { $0.utf8.allSatisfy { (0x20...0x7E).contains($0) } }
            #expect(lines.filter { !allowed.contains($0) } == [])
        }
    }

    @Test(arguments: Attack.allCases, [SMTPTLSPolicy.opportunistic, .testing])
    private func `where TLS is a bonus the mail goes without and the failure is told`(
        attack: Attack, policy: SMTPTLSPolicy
    ) async throws {
        let expected: Result =
            switch attack {
            case .stripped, .refused: Result("plain", .some(.tlsNotOffered))
            case .closed, .stalled, .garbage, .oldVersion: Result("plain", .some(.tlsFailed))
            case .injected: .refused(.inputBeforeTLS)
            }
        let server = try await server(attack)
        #expect(await result(server, policy, handshake: attack.patience) == expected)
    }

    @Test func `both versions of TLS in use are spoken`() async throws {
        for version in [TLSVersion.tlsv12, .tlsv13] {
            var script = ScriptedServer.Script(keywords: ["STARTTLS"])
            script.identity = try authority.identity().serverContext(maximumVersion: version, minimumVersion: version)
            let server = try await ScriptedServer(script)
            #expect(await result(server, .required(verify: true)) == Result("verified", Result.success))
        }
    }

    // MARK: REQUIRETLS

    @Test func `a mail that requires TLS goes only over a verified session that offers it`() async throws {
        for (policy, keywords, expected) in [
            (SMTPTLSPolicy.required(verify: true), ["STARTTLS", "REQUIRETLS"], "accepted"),
            (.required(verify: true), ["STARTTLS"], "permanent requireTLSNotOffered 5.7.30"),
            (.required(verify: false), ["STARTTLS", "REQUIRETLS"], "permanent requireTLSNotOffered 5.7.30"),
            (.opportunistic, ["STARTTLS", "REQUIRETLS"], "permanent requireTLSNotOffered 5.7.30"),
            (.never, ["REQUIRETLS"], "permanent requireTLSNotOffered 5.7.30"),
        ] {
            var script = ScriptedServer.Script(keywords: keywords)
            script.identity = try authority.identity().serverContext()
            let server = try await ScriptedServer(script)
            var configuration = clientConfiguration(policy)
            configuration.trustRootsFile = authority.rootsFile
            let connection = try await open(server, configuration)
            let envelope = SMTPEnvelope(
                reversePath: "b@bounce.example", recipient: try EmailAddress("ann@example.net"), needsSMTPUTF8: false,
                is8Bit: false, size: 10, requiresTLS: true)
            let report = await connection.deliver(envelope, shortMessage)
            let text =
                report.verdict == .accepted
                ? "accepted" : "\(report.verdict) \(report.cause) \(report.enhanced?.description ?? "")"
            #expect(text == expected, "\(policy) with \(keywords)")
            let mails = server.seen.commands.filter { $0.hasPrefix("MAIL") }
            #expect(mails == (expected == "accepted" ? ["MAIL FROM:<b@bounce.example> REQUIRETLS"] : []))
            // Other mail still goes.
            #expect(await connection.deliver(makeEnvelope(), shortMessage).verdict == .accepted)
            #expect(server.seen.commands.last { $0.hasPrefix("MAIL") } == "MAIL FROM:<b@bounce.example>")
            await connection.quit()
        }
    }

    /// A host that has `keywords` after TLS.
    private func host(
        _ keywords: [String], _ identity: TestAuthority.Identity? = nil, tls: SMTPTLSPolicy = .required(verify: true)
    ) async throws -> (server: ScriptedServer, target: SMTPTarget) {
        var script = ScriptedServer.Script(keywords: ["STARTTLS"] + keywords)
        script.identity = try (identity ?? authority.identity()).serverContext()
        let server = try await ScriptedServer(script)
        return (
            server, SMTPTarget(host: "mx.example", address: server.target.address, port: server.port, tls: tls)
        )
    }

    private func requireTLSPool(_ targets: [SMTPTarget]) -> SMTPConnectionPool {
        var configuration = clientConfiguration()
        configuration.trustRootsFile = authority.rootsFile
        configuration.requiresTLS = true
        return SMTPConnectionPool(
            targets: targets, configuration: configuration, limits: PoolLimits(),
            group: .singletonMultiThreadedEventLoopGroup, logger: quietLogger)
    }

    private func requireTLSEnvelope() throws -> SMTPEnvelope {
        SMTPEnvelope(
            reversePath: "b@bounce.example", recipient: try EmailAddress("ann@example.net"), needsSMTPUTF8: false,
            is8Bit: false, size: 10, requiresTLS: true)
    }

    @Test func `a mail that requires TLS goes to the first host that is fit for it`() async throws {
        let silent = try await host(["SIZE"])
        let unproven = try await host(["REQUIRETLS"], tls: .opportunistic)
        let untrusted = try await host(["REQUIRETLS"], try TestAuthority.selfSigned())
        let fit = try await host(["REQUIRETLS"])
        let hosts = [silent, unproven, untrusted, fit]
        let pool = requireTLSPool(
            hosts.enumerated().map { $1.server.target(host: "mx.example", preference: $0, tls: $1.target.tls) })
        for _ in 0..<2 {
            #expect(try await pool.deliver(requireTLSEnvelope(), shortMessage).verdict == .accepted)
        }
        #expect(
            fit.server.seen.commands.filter { $0.hasPrefix("MAIL") }
                == Array(repeating: "MAIL FROM:<b@bounce.example> REQUIRETLS", count: 2))
        for server in [silent, unproven, untrusted].map(\.server) {
            #expect(!server.seen.commands.contains { $0.hasPrefix("MAIL") })
        }
        #expect(silent.server.seen.commands.last == "QUIT")
        #expect(unproven.server.seen.connections == 0, "a host that nothing vouches for was dialled")
        #expect(untrusted.server.seen.connections == 1)
        await pool.shutdown()
    }

    @Test func `a mail that requires TLS is refused for good only where no host may ever take it`() async throws {
        let silent = try await host(["SIZE"]).target
        let unproven = try await host(["REQUIRETLS"], tls: .opportunistic).target
        let untrusted = try await host(["REQUIRETLS"], try TestAuthority.selfSigned()).target
        for (targets, expected) in [
            ([silent], "permanent requireTLSNotOffered 5.7.30"),
            ([unproven], "permanent requireTLSNotOffered 5.7.30"),
            ([silent, unproven], "permanent requireTLSNotOffered 5.7.30"),
            ([silent, untrusted], "temporary certificateNotTrusted "),
            ([untrusted, silent, unproven], "temporary certificateNotTrusted "),
        ] {
            let pool = requireTLSPool(targets)
            let failure = await failure { () async throws(SMTPConnectFailure) in
                try await pool.withConnection { _ in }
            }
            let report = failure?.report
            let text = report.map { "\($0.verdict) \($0.cause) \($0.enhanced?.description ?? "")" }
            #expect(text == expected)
            await pool.shutdown()
        }
    }

    // MARK: Pools

    @Test func `a pool goes on to the host whose policy can be met`() async throws {
        let bad = try await server(try TestAuthority.selfSigned())
        let good = try await server(try authority.identity())
        var configuration = clientConfiguration()
        configuration.trustRootsFile = authority.rootsFile
        let targets = [
            SMTPTarget(host: "a.example", address: bad.target.address, port: bad.port, tls: .refused(.tlsaUnavailable)),
            SMTPTarget(host: "mx.example", address: bad.target.address, port: bad.port, tls: .required(verify: true)),
            SMTPTarget(host: "mx.example", address: good.target.address, port: good.port, tls: .required(verify: true)),
        ]
        let pool = SMTPConnectionPool(
            targets: targets, configuration: configuration, limits: PoolLimits(),
            group: .singletonMultiThreadedEventLoopGroup, logger: quietLogger)
        #expect(try await pool.deliver(makeEnvelope(), shortMessage).verdict == .accepted)
        #expect(bad.seen.contents.isEmpty)
        #expect(good.seen.contents.count == 1)
        await pool.shutdown()
    }
}
