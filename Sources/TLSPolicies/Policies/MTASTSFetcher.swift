import AsyncHTTPClient
package import DNSResolution
package import MailTypes
package import NIOCore
import NIOHTTP1
import NIOSSL
import SMTPTransport

/// Fetches policies over HTTPS (RFC 8461 §3.3): from the one address they may have, without following anybody
/// elsewhere, with bounds on size and time.
package struct MTASTSFetcher: Sendable {
    package struct Configuration: Sendable {
        /// For one whole fetch; §3.3 suggests a minute.
        package var timeout: Duration = .seconds(60)
        /// PEM file of authorities to trust instead of the system's.
        package var trustRootsFile: String?
        /// Other than 443 only in tests.
        package var port = 443
        /// Lifts the guard against addresses that are not on the public Internet. For tests.
        package var allowsPrivateAddresses = false

        package init() {}
    }

    /// Finds the addresses of a host.
    package typealias Lookup = @Sendable (_ host: String) async throws(DNSFailure) -> [IPAddress]

    /// Addresses of a policy host that are tried.
    private static let maximumAddresses = 3

    private let configuration: Configuration
    private let lookup: Lookup
    private let https: PublicHTTPS

    package init(_ configuration: Configuration = Configuration(), group: any EventLoopGroup, lookup: @escaping Lookup)
    {
        self.configuration = configuration
        https = PublicHTTPS(trustRootsFile: configuration.trustRootsFile, group: group)
        self.lookup = lookup
    }

    package init(
        _ configuration: Configuration = Configuration(), group: any EventLoopGroup, resolver: DNSResolution.Resolver
    ) {
        self.init(configuration, group: group) { host throws(DNSFailure) in try await resolver.addresses(of: host) }
    }

    package func fetch(_ domain: DomainName) async throws(MTASTSFault) -> MTASTSPolicy {
        let body: [UInt8]
        do {
            body = try await within(configuration.timeout) { try await self.body("mta-sts.\(domain)") }
        } catch let fault as MTASTSFault {
            throw fault
        } catch {
            throw MTASTSFault(.stsPolicyFetchError, "no answer in time")
        }
        return try MTASTSPolicy(parsing: body)
    }

    private func body(_ host: String) async throws -> [UInt8] {
        let addresses: [IPAddress]
        do throws(DNSFailure) {
            addresses = try await lookup(host)
        } catch {
            throw MTASTSFault(.stsPolicyFetchError, "the policy host has no address: \(error)")
        }
        let allowed = addresses.filter { configuration.allowsPrivateAddresses || $0.isGlobal }
        var last = MTASTSFault(.stsPolicyFetchError, "the policy host has no address on the public Internet")
        for address in allowed.prefix(Self.maximumAddresses) {
            do {
                return try await body(host, at: address)
            } catch let fault as MTASTSFault {
                throw fault
            } catch {
                try Task.checkCancellation()
                last = Self.fault(error)
            }
        }
        throw last
    }

    private func body(_ host: String, at address: IPAddress) async throws -> [UInt8] {
        try await https.withClient(host, at: address) { client in
            try await Self.body(client, "https://\(host):\(configuration.port)/.well-known/mta-sts.txt")
        }
    }

    private static func body(_ http: HTTPClient, _ url: String) async throws -> [UInt8] {
        var request = HTTPClientRequest(url: url)
        request.headers.add(name: "User-Agent", value: "sluice")
        request.headers.add(name: "Accept", value: "text/plain")
        let response = try await http.execute(request, deadline: .distantFuture)
        guard response.status == .ok else {
            throw MTASTSFault(.stsPolicyFetchError, "HTTP status \(response.status.code)")
        }
        let type = response.headers.first(name: "Content-Type") ?? ""
        guard isPlainText(type) else { throw MTASTSFault(.stsPolicyFetchError, "the content is not text/plain") }
        do {
            var body = try await response.body.collect(upTo: MTASTSPolicy.maximumOctets)
            return body.readBytes(length: body.readableBytes) ?? []
        } catch is NIOTooManyBytesError {
            throw MTASTSFault(.stsPolicyInvalid, "longer than 64 KiB")
        }
    }

    private static func isPlainText(_ type: String) -> Bool {
        type.prefix { $0 != ";" }.trimmingBlanks.lowercased() == "text/plain"
    }

    private static func fault(_ error: any Error) -> MTASTSFault {
        switch error {
        case NIOSSLError.handshakeFailed(.sslError(let stack)) where "\(stack)".contains("CERTIFICATE_VERIFY_FAILED"):
            MTASTSFault(.stsWebPKIInvalid, "the certificate of the policy host is not trusted")
        case is NIOSSLExtraError:
            MTASTSFault(.stsWebPKIInvalid, "the certificate of the policy host is for another name")
        case is NIOSSLError: MTASTSFault(.stsPolicyFetchError, "TLS handshake with the policy host failed")
        case let error as HTTPClientError: MTASTSFault(.stsPolicyFetchError, "HTTP failed: \(error.shortDescription)")
        default: MTASTSFault(.stsPolicyFetchError, "no connection to the policy host")
        }
    }
}
