import DNSResolution
import Foundation
import MailTypes
import NIOHTTP1
import NIOPosix
import TLSPolicies
import TestPeers
import Testing

/// Posting to a real HTTPS server, with everything that may be wrong about it.
@Suite(.timeLimit(.minutes(2))) struct TLSReportUploadTests {
    private let authority: TestAuthority
    private static let loopback = IPAddress.v4(0x7F00_0001)
    private static let body: [UInt8] = [0x1F, 0x8B, 0, 10, 13, 255]

    init() throws { authority = try TestAuthority() }

    private func upload(
        addresses: [IPAddress] = [loopback], timeout: Duration = .seconds(30), allowsPrivate: Bool = true,
        maximumOctets: Int = 1_000
    ) -> TLSReportUpload {
        var configuration = TLSReportUpload.Configuration()
        configuration.timeout = timeout
        configuration.trustRootsFile = authority.rootsFile
        configuration.allowsPrivateAddresses = allowsPrivate
        configuration.maximumOctets = maximumOctets
        return TLSReportUpload(configuration, group: .singletonMultiThreadedEventLoopGroup) {
            host throws(DNSFailure) in
            guard host == "rua.d.example" else { throw .temporary(.timeout) }
            return addresses
        }
    }

    /// The failure, or nil.
    private func post(_ upload: TLSReportUpload, _ url: String) async -> TLSReportUpload.Failure? {
        do throws(TLSReportUpload.Failure) {
            try await upload.post(Self.body, to: url)
            return nil
        } catch {
            return error
        }
    }

    private func withServer(
        _ names: [String] = ["rua.d.example"], _ change: (inout PolicyServer.Answer) -> Void = { _ in },
        _ body: (PolicyServer) async throws -> Void
    ) async throws {
        var answer = PolicyServer.Answer()
        change(&answer)
        let server = try await PolicyServer(try authority.identity(names).serverContext(), answer)
        try await body(server)
        try await server.close()
    }

    @Test func `a report is posted under its type`() async throws {
        for status in [200, 201, 202, 204] {
            try await withServer(["rua.d.example"], { $0.status = .init(statusCode: status) }) { server in
                #expect(await post(upload(), "https://rua.d.example:\(server.port)/in/tls?x=1") == nil)
                #expect(server.requests == ["rua.d.example:\(server.port) /in/tls?x=1"])
                #expect(server.uploads == [.init(type: "application/tlsrpt+gzip", body: Self.body)])
            }
        }
    }

    @Test func `any other answer is a failure for now, and leads nowhere else`() async throws {
        for status in [301, 307, 400, 404, 500, 503] {
            try await withServer(
                ["rua.d.example"],
                {
                    $0.status = .init(statusCode: status)
                    $0.headers.append(("Location", "/elsewhere"))
                }
            ) { server in
                let failure = await post(upload(), "https://rua.d.example:\(server.port)/")
                #expect(failure?.description == "HTTP status \(status)")
                #expect(failure?.isPermanent == false)
                #expect(server.requests.count == 1)
            }
        }
    }

    @Test func `private addresses are not connected to, in names or in URLs`() async throws {
        try await withServer { server in
            let port = server.port
            let refused = "the host has no address on the public Internet"
            for address in [Self.loopback, .v4(0x0A00_0001), .v4(0xA9FE_A9FE), .v6(high: 0, low: 1)] {
                let upload = upload(addresses: [address], allowsPrivate: false)
                let failure = await post(upload, "https://rua.d.example:\(port)/")
                #expect(failure?.description == refused)
                #expect(failure?.isPermanent == true)
            }
            for host in ["127.0.0.1", "[::1]", "10.0.0.1", "[::ffff:127.0.0.1]"] {
                let failure = await post(upload(allowsPrivate: false), "https://\(host):\(port)/")
                #expect(failure?.description == refused, "\(host)")
            }
            #expect(server.requests.isEmpty)
        }
    }

    @Test(arguments: [
        "http://rua.d.example/", "https:///path", "https://user:secret@rua.d.example/", "ftp://rua.d.example",
        "nonsense",
    ])
    func `what is no plain https URL is refused`(_ url: String) async throws {
        let failure = await post(upload(), url)
        #expect(failure?.description == "not an https URL")
        #expect(failure?.isPermanent == true)
    }

    @Test func `bounds on size and time hold`() async throws {
        try await withServer(
            ["rua.d.example"],
            {
                $0.stalls = true; $0.body = ""
            }
        ) { server in
            let long = await post(upload(maximumOctets: 5), "https://rua.d.example:\(server.port)/")
            #expect(long?.description == "the report is too long")
            #expect(server.requests.isEmpty)
        }
        // A server that takes connections and says nothing.
        let silent = try await PolicyServer(nil, PolicyServer.Answer())
        let start = ContinuousClock.now
        let failure = await post(upload(timeout: .seconds(1)), "https://rua.d.example:\(silent.port)/")
        #expect(failure != nil)
        #expect(failure?.isPermanent == false)
        #expect(ContinuousClock.now - start < .seconds(20))
        try await silent.close()
    }

    @Test func `the certificate must be good`() async throws {
        try await withServer(["other.example"]) { server in
            let failure = await post(upload(), "https://rua.d.example:\(server.port)/")
            #expect(failure?.isPermanent == false)
            #expect(server.uploads.isEmpty)
        }
    }

    @Test func `a host without an address is tried again later`() async throws {
        let failure = await post(upload(), "https://unknown.example/")
        #expect(failure?.description.hasPrefix("the host has no address: ") == true)
        #expect(failure?.isPermanent == false)
    }
}
