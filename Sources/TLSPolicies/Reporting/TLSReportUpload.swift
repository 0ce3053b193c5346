import AsyncHTTPClient
import DNSResolution
import Foundation
import MailTypes
package import NIOCore
import NIOHTTP1

/// Posts reports to the `https` addresses that receivers name (RFC 8460 §5.4): only to the public Internet, with bounds
/// on size and time.
package struct TLSReportUpload: Sendable {
    package struct Configuration: Sendable {
        /// For one whole upload.
        package var timeout: Duration = .seconds(60)
        /// The longest report, packed.
        package var maximumOctets = 10 << 20
        /// PEM file of authorities to trust instead of the system's.
        package var trustRootsFile: String?
        /// Lifts the guard against addresses that are not on the public Internet. For tests.
        package var allowsPrivateAddresses = false

        package init() {}
    }

    /// Why a report was not taken. Names nobody.
    package struct Failure: Error, Sendable, Hashable, CustomStringConvertible {
        package let description: String
        /// Trying again will not help.
        package let isPermanent: Bool

        init(_ description: String, isPermanent: Bool = false) {
            self.description = description
            self.isPermanent = isPermanent
        }
    }

    /// Addresses of a host that are tried.
    private static let maximumAddresses = 3

    private let configuration: Configuration
    private let lookup: MTASTSFetcher.Lookup
    private let https: PublicHTTPS

    package init(
        _ configuration: Configuration = Configuration(), group: any EventLoopGroup,
        lookup: @escaping MTASTSFetcher.Lookup
    ) {
        self.configuration = configuration
        self.lookup = lookup
        https = PublicHTTPS(trustRootsFile: configuration.trustRootsFile, group: group)
    }

    /// - Parameters:
    ///   - body: packed with gzip, see ``TLSReport/body``.
    ///   - url: `https://…`, as a ``TLSReportRecord`` names it.
    package func post(_ body: [UInt8], to url: String) async throws(Failure) {
        guard body.count <= configuration.maximumOctets else {
            throw Failure("the report is too long", isPermanent: true)
        }
        guard let parts = URLComponents(string: url), parts.scheme?.lowercased() == "https", let host = parts.host,
            !host.isEmpty, parts.user == nil, parts.password == nil
        else { throw Failure("not an https URL", isPermanent: true) }
        do {
            try await within(configuration.timeout) { try await post(body, to: url, host) }
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure("no answer in time")
        }
    }

    private func post(_ body: [UInt8], to url: String, _ host: String) async throws {
        var last = Failure("the host has no address on the public Internet", isPermanent: true)
        let found = try await addresses(of: host)
        for address in found.filter({ configuration.allowsPrivateAddresses || $0.isGlobal })
            .prefix(Self.maximumAddresses)
        {
            do {
                return try await https.withClient(host, at: address) { client in
                    try await Self.post(body, to: url, client)
                }
            } catch let failure as Failure {
                throw failure
            } catch {
                try Task.checkCancellation()
                last = Failure("no connection: \((error as? HTTPClientError)?.shortDescription ?? "TLS or network")")
            }
        }
        throw last
    }

    private func addresses(of host: String) async throws -> [IPAddress] {
        let bare = host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
        if let address = IPAddress(bare) { return [address] }
        do throws(DNSFailure) {
            return try await lookup(host)
        } catch {
            throw Failure("the host has no address: \(error)")
        }
    }

    private static func post(_ body: [UInt8], to url: String, _ client: HTTPClient) async throws {
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.headers.add(name: "User-Agent", value: "sluice")
        request.headers.add(name: "Content-Type", value: TLSReport.contentType)
        request.body = .bytes(ByteBuffer(bytes: body))
        // The answer's body is not read.
        let response = try await client.execute(request, deadline: .distantFuture)
        guard (200..<300).contains(response.status.code) else {
            throw Failure("HTTP status \(response.status.code)")
        }
    }
}
