import Foundation
import ProviderWebhooks
import TestPeers

/// Stands for Amazon's hosts: TLS for their names by an authority of the test's own. Only where they are reached differs from
/// what a server does; which addresses are asked at all is decided as ever.
struct AmazonServer {
    let server: PolicyServer
    private let authority: TestAuthority
    private let hosts: [String]

    /// - Parameter certificateNames: of the TLS certificate; by default the hosts'
    init(
        hosts: [String] = ["sns.eu-central-1.amazonaws.com"], certificateNames: [String]? = nil,
        _ answer: PolicyServer.Answer
    ) async throws {
        self.hosts = hosts
        authority = try TestAuthority()
        server = try await PolicyServer(
            try authority.identity(certificateNames ?? hosts).serverContext(), answer)
    }

    var https: AmazonHTTPS {
        var https = AmazonHTTPS()
        https.trustRootsFile = authority.rootsFile
        https.port = server.port
        https.reach = Dictionary(hosts.map { ($0, "127.0.0.1") }) { first, _ in first }
        return https
    }

    /// Host and path of each request, without the port.
    var requests: [String] {
        server.requests.map { request in
            let parts = request.split(separator: " ", maxSplits: 1)
            return "\(parts[0].prefix { $0 != ":" })\(parts[1])"
        }
    }
}
