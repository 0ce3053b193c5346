import AsyncHTTPClient
import DNSResolution
import MailTypes
import NIOCore
import NIOSSL

/// HTTPS to hosts that strangers name: only at the very address that was checked, because a second look-up could lead
/// elsewhere; without redirects, proxies and retries.
struct PublicHTTPS: Sendable {
    /// PEM file of authorities to trust instead of the system's.
    let trustRootsFile: String?
    let group: any EventLoopGroup

    /// Lends a client that reaches `host` at `address`.
    func withClient<Value>(
        _ host: String, at address: IPAddress, _ body: (HTTPClient) async throws -> Value
    ) async throws -> Value {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv12
        if let trustRootsFile { tls.trustRoots = .file(trustRootsFile) }
        var configuration = HTTPClient.Configuration(
            tlsConfiguration: tls, redirectConfiguration: .disallow,
            timeout: .init(connect: .seconds(10), read: .seconds(30)), decompression: .disabled)
        configuration.dnsOverride = [host: address.description]
        configuration.httpVersion = .http1Only
        configuration.connectionPool.retryConnectionEstablishment = false
        let client = HTTPClient(eventLoopGroupProvider: .shared(group), configuration: configuration)
        do {
            let value = try await body(client)
            try await client.shutdown()
            return value
        } catch {
            try? await client.shutdown()
            throw error
        }
    }
}
