import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOSSL

/// Requests to Amazon: HTTPS with the host's certificate checked, no redirects, no proxies, bounded in size and time.
package struct AmazonHTTPS: Sendable {
    /// PEM file of authorities to trust instead of the system's. For tests.
    package var trustRootsFile: String?
    /// Other than 443 only in tests.
    package var port = 443
    /// Where a host is reached, in place of what the DNS says. For tests.
    package var reach: [String: String] = [:]

    package init() {}

    struct Failed: Error, CustomStringConvertible {
        let description: String
    }

    /// The body of a 200. Anything else is an error, redirects included.
    func get(_ address: SNSAddress, limit: Int) async throws -> [UInt8] {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv12
        if let trustRootsFile { tls.trustRoots = .file(trustRootsFile) }
        var configuration = HTTPClient.Configuration(
            tlsConfiguration: tls, redirectConfiguration: .disallow,
            timeout: .init(connect: .seconds(5), read: .seconds(Int64(ProviderLimits.fetchSeconds))),
            decompression: .disabled)
        configuration.dnsOverride = reach
        configuration.httpVersion = .http1Only
        configuration.connectionPool.retryConnectionEstablishment = false
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        do {
            let body = try await body(client, address, limit)
            try await client.shutdown()
            return body
        } catch {
            try? await client.shutdown()
            throw error
        }
    }

    private func body(_ client: HTTPClient, _ address: SNSAddress, _ limit: Int) async throws -> [UInt8] {
        var request = HTTPClientRequest(url: "https://\(address.host):\(port)\(address.path)")
        request.headers.add(name: "User-Agent", value: "sluice")
        let response = try await client.execute(
            request, deadline: .now() + .seconds(Int64(ProviderLimits.fetchSeconds)))
        guard response.status == .ok else { throw Failed(description: "HTTP status \(response.status.code)") }
        var body = try await response.body.collect(upTo: limit)
        return body.readBytes(length: body.readableBytes) ?? []
    }
}
