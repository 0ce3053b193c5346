import DNSResolution
import MailTypes
import TestPeers
import Testing

/// The resolver against a server that fails.
@Suite struct FailureTests {
    private func failure(_ reply: @escaping @Sendable (String, String) -> ScriptedServer.Reply) async throws
        -> DNSFailure?
    {
        let server = try ScriptedServer(reply)
        defer { server.stop() }
        var configuration = server.resolverConfiguration
        configuration.timeout = .seconds(60)
        let resolver = try Resolver(configuration)
        do {
            _ = try await resolver.mailRoute(for: DomainName("d.example"))
            return nil
        } catch let failure as DNSFailure {
            return failure
        }
    }

    @Test func `a server failure is temporary and the domain's address is not used`() async throws {
        #expect(
            try await failure { _, type in type == "MX" ? .code(2) : .records([Wire.address("192.0.2.1")]) }
                == .temporary(.serverFailure))
    }

    @Test(arguments: [UInt8(1), 4, 5, 9])
    func `other response codes are temporary`(code: UInt8) async throws {
        let failure = try await failure { _, type in type == "MX" ? .code(code) : .records([Wire.address("192.0.2.1")])
        }
        #expect(failure?.isPermanent == false)
    }

    @Test func `garbage is temporary`() async throws {
        #expect(try await failure { _, _ in .garbage }?.isPermanent == false)
    }

    @Test func `a host that may have an address makes the failure temporary`() async throws {
        #expect(
            try await failure { name, type in
                if type == "MX" { return .records([Wire.mx(10, "gone.example"), Wire.mx(20, "sick.example")]) }
                return name == "gone.example" ? .code(3) : .code(2)
            } == .temporary(.serverFailure))
        #expect(
            try await failure { name, type in
                if type == "MX" { return .records([Wire.mx(10, "sick.example")]) }
                return type == "A" ? .code(3) : .code(2)
            } == .temporary(.serverFailure))
        #expect(
            try await failure { name, type in
                if type == "MX" { return .records([Wire.mx(10, "gone.example"), Wire.mx(20, "bare.example")]) }
                return name == "gone.example" ? .code(3) : .records([])
            } == .temporary(.noUsableMailHost))
    }

    @Test func `a host with an address is enough`() async throws {
        let server = try ScriptedServer { name, type in
            if type == "MX" { return .records([Wire.mx(10, "sick.example"), Wire.mx(20, "well.example")]) }
            return name == "well.example" && type == "A" ? .records([Wire.address("192.0.2.7")]) : .code(2)
        }
        defer { server.stop() }
        let route = try await Resolver(server.resolverConfiguration).mailRoute(for: DomainName("d.example"))
        #expect(route == .hosts([MailHost(name: "well.example", preference: 20, addresses: [.v4(0xC000_0207)])]))
    }

    @Test func `silence ends at the timeout`() async throws {
        let server = try ScriptedServer { _, _ in .silence }
        defer { server.stop() }
        var configuration = server.resolverConfiguration
        configuration.timeout = .milliseconds(300)
        let resolver = try Resolver(configuration)
        await #expect(throws: DNSFailure.temporary(.timeout)) {
            try await resolver.mailRoute(for: DomainName("d.example"))
        }
        await #expect(throws: DNSFailure.temporary(.timeout)) { try await resolver.txt("d.example") }
    }

    @Test func `the timeout is for all questions together`() async throws {
        let server = try ScriptedServer { _, type in type == "MX" ? .records([Wire.mx(10, "mx.example")]) : .silence }
        defer { server.stop() }
        var configuration = server.resolverConfiguration
        configuration.timeout = .seconds(2)
        let resolver = try Resolver(configuration)
        await #expect(throws: DNSFailure.temporary(.timeout)) {
            try await resolver.mailRoute(for: DomainName("d.example"))
        }
        #expect(server.questions.contains("mx.example A"))
    }

    @Test func `a server that is not there is temporary`() async throws {
        let port = try Socket.freePort()
        let server = try #require(DNSServer("127.0.0.1:\(port)"))
        let resolver = try Resolver(ResolverConfiguration(forwarders: [server], timeout: .seconds(3)))
        do {
            _ = try await resolver.mailRoute(for: DomainName("d.example"))
            Issue.record("an answer from nowhere")
        } catch {
            #expect((error as? DNSFailure)?.isPermanent == false)
        }
    }

    @Test func `cancelling the task ends the call`() async throws {
        let server = try ScriptedServer { _, _ in .silence }
        defer { server.stop() }
        var configuration = server.resolverConfiguration
        configuration.timeout = .seconds(60)
        let resolver = try Resolver(configuration)
        for delay in [0, 1, 100] {
            let task = Task { try await resolver.mailRoute(for: DomainName("d.example")) }
            try await Task.sleep(for: .milliseconds(delay))
            task.cancel()
            await #expect(throws: DNSFailure.temporary(.cancelled)) { try await task.value }
        }
    }

    @Test func `answers are remembered`() async throws {
        let server = try ScriptedServer { _, type in
            switch type {
            case "MX": .records([Wire.mx(10, "mx.example")])
            case "A": .records([Wire.address("192.0.2.7")])
            default: .records([])
            }
        }
        defer { server.stop() }
        let resolver = try Resolver(server.resolverConfiguration)
        let first = try await resolver.mailRoute(for: DomainName("d.example"))
        let count = server.questions.count(where: { $0 == "d.example MX" || $0 == "mx.example A" })
        for _ in 0..<20 { #expect(try await resolver.mailRoute(for: DomainName("d.example")) == first) }
        #expect(server.questions.count(where: { $0 == "d.example MX" || $0 == "mx.example A" }) == count)
    }

    @Test func `names of test networks reach the forwarder`() async throws {
        let server = try ScriptedServer { _, type in type == "A" ? .records([Wire.address("192.0.2.7")]) : .records([])
        }
        defer { server.stop() }
        let resolver = try Resolver(server.resolverConfiguration)
        for name in ["mail.test", "mail.invalid"] {
            #expect(
                try await resolver.mailRoute(for: DomainName(name))
                    == .hosts([MailHost(name: name, preference: 0, addresses: [.v4(0xC000_0207)])]))
        }
    }

    @Test func `resolvers come and go`() async throws {
        let server = try ScriptedServer { _, type in type == "A" ? .records([Wire.address("192.0.2.7")]) : .records([])
        }
        defer { server.stop() }
        for _ in 0..<20 {
            let resolver = try Resolver(server.resolverConfiguration)
            let route = try await resolver.mailRoute(for: DomainName("d.example"))
            guard case .hosts(let hosts) = route else {
                Issue.record("no hosts: \(route)")
                continue
            }
            #expect(hosts.count == 1)
        }
    }

    @Test func `unfit configurations are refused`() {
        #expect(throws: ResolverConfigurationError.self) { try Resolver(ResolverConfiguration(forwarders: [])) }
    }
}
