import DNSResolution
import Foundation
import MailTypes
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import SMTPTransport
import TLSPolicies
import TestPeers
import Testing

/// Fetching from a real HTTPS server, with everything that may be wrong about it.
@Suite(.timeLimit(.minutes(2))) struct MTASTSFetcherTests {
    private let authority: TestAuthority
    private static let text = "version: STSv1\nmode: enforce\nmx: *.d.example\nmax_age: 86400\n"
    private static let loopback = IPAddress.v4(0x7F00_0001)

    init() throws { authority = try TestAuthority() }

    private func fetcher(
        port: Int, addresses: [IPAddress] = [loopback], timeout: Duration = .seconds(30), allowsPrivate: Bool = true
    ) -> MTASTSFetcher {
        var configuration = MTASTSFetcher.Configuration()
        configuration.port = port
        configuration.timeout = timeout
        configuration.trustRootsFile = authority.rootsFile
        configuration.allowsPrivateAddresses = allowsPrivate
        return MTASTSFetcher(configuration, group: .singletonMultiThreadedEventLoopGroup) {
            host throws(DNSFailure) in
            guard host == "mta-sts.d.example" else { throw .permanent(.noSuchDomain) }
            return addresses
        }
    }

    private func fetch(_ fetcher: MTASTSFetcher, _ domain: String = "d.example") async -> String {
        do {
            let policy = try await fetcher.fetch(try DomainName(domain))
            return "\(policy.mode) \(policy.patterns)"
        } catch {
            return "\(error)"
        }
    }

    private func result(
        _ identity: TestAuthority.Identity? = nil, _ change: (inout PolicyServer.Answer) -> Void = { _ in }
    ) async throws -> String {
        var answer = PolicyServer.Answer()
        answer.body = Self.text
        change(&answer)
        let identity = try identity ?? authority.identity(["mta-sts.d.example"])
        let server = try await PolicyServer(try identity.serverContext(), answer)
        let result = await fetch(fetcher(port: server.port))
        try await server.close()
        return result
    }

    @Test func `a policy is fetched from its one place`() async throws {
        var answer = PolicyServer.Answer()
        answer.body = Self.text
        answer.headers = [("Content-Type", "Text/Plain; charset=utf-8")]
        let server = try await PolicyServer(
            try authority.identity(["mta-sts.d.example"]).serverContext(), answer)
        let dead = IPAddress.v4(0x7F00_0002)
        #expect(await fetch(fetcher(port: server.port)) == "enforce [\"*.d.example\"]")
        #expect(server.requests == ["mta-sts.d.example:\(server.port) /.well-known/mta-sts.txt"])
        // A second address serves where the first does not.
        #expect(await fetch(fetcher(port: server.port, addresses: [dead, Self.loopback])).hasPrefix("enforce"))
        #expect(await fetch(fetcher(port: server.port), "other.example").contains("the domain does not exist"))
        try await server.close()
    }

    @Test func `what is not a plain answer of text is no policy`() async throws {
        #expect(try await result { $0.status = .notFound } == "sts-policy-fetch-error: HTTP status 404")
        #expect(try await result { $0.status = .internalServerError } == "sts-policy-fetch-error: HTTP status 500")
        #expect(try await result { $0.status = .created } == "sts-policy-fetch-error: HTTP status 201")
        #expect(
            try await result {
                $0.status = .movedPermanently
                $0.headers.append(("Location", "/.well-known/other.txt"))
            } == "sts-policy-fetch-error: HTTP status 301")
        #expect(
            try await result { $0.headers = [("Content-Type", "text/html")] }
                == "sts-policy-fetch-error: the content is not text/plain")
        #expect(try await result { $0.headers = [] } == "sts-policy-fetch-error: the content is not text/plain")
        #expect(try await result { $0.body = "" } == "sts-policy-invalid: no version STSv1")
        #expect(
            try await result { $0.body += "x: " + String(repeating: "x", count: 65_536) }
                == "sts-policy-invalid: longer than 64 KiB")
        #expect(try await result { $0.breaks = true }.hasPrefix("sts-policy-fetch-error: "))
    }

    @Test func `the certificate must be good`() async throws {
        func identity(
            _ names: [String] = ["mta-sts.d.example"], validity: Range<Date> = TestAuthority.today
        ) throws -> TestAuthority.Identity { try authority.identity(names, validity: validity) }
        #expect(try await result(try identity(["*.d.example"])).hasPrefix("enforce"))
        let untrusted = "sts-webpki-invalid: the certificate of the policy host is not trusted"
        #expect(try await result(try identity(validity: TestAuthority.yesterday)) == untrusted)
        #expect(try await result(try TestAuthority.selfSigned(["mta-sts.d.example"])) == untrusted)
        #expect(try await result(try TestAuthority("Other").identity(["mta-sts.d.example"])) == untrusted)
        #expect(
            try await result(try identity(["d.example"]))
                == "sts-webpki-invalid: the certificate of the policy host is for another name")
    }

    @Test func `old versions of TLS and plaintext are not spoken`() async throws {
        var answer = PolicyServer.Answer()
        answer.body = Self.text
        let identity = try authority.identity(["mta-sts.d.example"])
        for context in [nil, try identity.serverContext(maximumVersion: .tlsv11, minimumVersion: .tlsv1)] {
            let server = try await PolicyServer(context, answer)
            #expect(await fetch(fetcher(port: server.port)).hasPrefix("sts-policy-fetch-error: "))
            #expect(server.requests.isEmpty)
            try await server.close()
        }
    }

    @Test func `a server that stalls costs the time-out and no more`() async throws {
        var answer = PolicyServer.Answer()
        answer.body = Self.text
        answer.stalls = true
        let server = try await PolicyServer(try authority.identity(["mta-sts.d.example"]).serverContext(), answer)
        let start = ContinuousClock.now
        let result = await fetch(fetcher(port: server.port, timeout: .seconds(2)))
        #expect(result == "sts-policy-fetch-error: no answer in time")
        #expect(ContinuousClock.now - start < .seconds(20))
        try await server.close()
    }

    @Test func `private addresses are not connected to`() async throws {
        let server = try await PolicyServer(
            try authority.identity(["mta-sts.d.example"]).serverContext(), PolicyServer.Answer())
        for address in [Self.loopback, .v4(0x0A00_0001), .v4(0xA9FE_A9FE), .v6(high: 0, low: 1)] {
            let fetcher = fetcher(port: server.port, addresses: [address], allowsPrivate: false)
            #expect(
                await fetch(fetcher)
                    == "sts-policy-fetch-error: the policy host has no address on the public Internet")
        }
        #expect(server.requests.isEmpty)
        try await server.close()
    }

    @Test func `nobody there is a failure`() async throws {
        let server = try await PolicyServer(nil, PolicyServer.Answer())
        try await server.close()
        #expect(await fetch(fetcher(port: server.port)).hasPrefix("sts-policy-fetch-error: "))
        #expect(await fetch(fetcher(port: server.port, addresses: [])).hasPrefix("sts-policy-fetch-error: "))
    }
}
