import AsyncHTTPClient
package import MailTypes
package import NIOCore
import NIOHTTP1
import NIOSSL

/// Posts messages to endpoints that customers name: only at the very addresses that were checked, because a second look-up
/// could lead elsewhere; without redirects, with bounds on time and on what is read.
package struct WebhookSender: Sendable {
    package struct Configuration: Sendable {
        /// For one message, from the connection to the end of the answer.
        package var timeout = WebhookLimits.timeout
        /// PEM file of authorities to trust instead of the system's.
        package var trustRootsFile: String?
        /// Lifts the guard against addresses that are not on the public Internet, and lets `http` pass.
        package var allowsPrivateAddresses = false

        package init() {}
    }

    /// Finds the addresses of a host.
    package typealias Lookup = @Sendable (_ host: String) async throws -> [IPAddress]

    let configuration: Configuration
    private let group: any EventLoopGroup
    private let lookup: Lookup

    package init(_ configuration: Configuration, group: any EventLoopGroup, lookup: @escaping Lookup) {
        self.configuration = configuration
        self.group = group
        self.lookup = lookup
    }

    /// What came of one POST.
    struct Result: Sendable, Hashable {
        /// Nil without an answer.
        var status: Int?
        /// Nil where the endpoint took the message. Of a few kinds, and never the other side's words.
        var error: String?

        var isDelivered: Bool { error == nil }
        /// The endpoint wants no more (410).
        var isGone: Bool { status == 410 }

        static func refused(_ error: String) -> Result { Result(status: nil, error: error) }
    }

    struct Request: Sendable {
        let id: String
        /// Seconds since 1970.
        let timestamp: Int64
        /// Of each secret.
        let signatures: [String]
        let body: [UInt8]
    }

    /// A way to one endpoint at one address, good for a while: connections are used again.
    struct Line: Sendable {
        let url: WebhookURL
        fileprivate let client: HTTPClient
        fileprivate let timeout: Duration

        func close() async { try? await client.shutdown() }
    }

    /// - Returns: nil with the reason where no address may be used.
    func line(to url: WebhookURL) async -> (line: Line?, refusal: String?) {
        guard url.isSecure || configuration.allowsPrivateAddresses else { return (nil, "the address is not https") }
        let found: [IPAddress]
        do {
            found = try await addresses(of: url)
        } catch {
            return (nil, "the host has no address")
        }
        let allowed = found.filter { configuration.allowsPrivateAddresses || $0.isGlobal }
        guard let address = allowed.prefix(WebhookLimits.addresses).randomElement() else {
            return (nil, found.isEmpty ? "the host has no address" : "the address is not one of the public Internet")
        }
        return (Line(url: url, client: client(url, at: address), timeout: configuration.timeout), nil)
    }

    private func addresses(of url: WebhookURL) async throws -> [IPAddress] {
        switch url.host {
        case .address(let address): [address]
        case .name("localhost"): [IPAddress("127.0.0.1")].compactMap(\.self)
        case .name(let name):
            try await within(configuration.timeout) { try await lookup(name) }
        }
    }

    private func client(_ url: WebhookURL, at address: IPAddress) -> HTTPClient {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv12
        if let file = configuration.trustRootsFile { tls.trustRoots = .file(file) }
        var settings = HTTPClient.Configuration(
            tlsConfiguration: tls, redirectConfiguration: .disallow,
            timeout: .init(connect: .seconds(10), read: .seconds(15)), decompression: .disabled)
        settings.dnsOverride = [url.hostText: address.description]
        settings.httpVersion = .http1Only
        settings.connectionPool.retryConnectionEstablishment = false
        settings.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = WebhookLimits.streams
        return HTTPClient(eventLoopGroupProvider: .shared(group), configuration: settings)
    }

    /// Never throws: whatever goes wrong is the result.
    func post(_ request: Request, on line: Line) async -> Result {
        do {
            return try await within(line.timeout) { try await Self.send(request, on: line) }
        } catch is TimedOut {
            return .refused("no answer within \(line.timeout.components.seconds) seconds")
        } catch let error as NIOSSLError {
            return .refused(Self.text(error))
        } catch is NIOSSLExtraError {
            return .refused("the certificate is for another name")
        } catch let error as HTTPClientError {
            return .refused("HTTP failed: \(error.shortDescription)")
        } catch is CancellationError {
            return .refused("interrupted")
        } catch {
            return .refused("no connection")
        }
    }

    private static func send(_ request: Request, on line: Line) async throws -> Result {
        var post = HTTPClientRequest(url: line.url.text)
        post.method = .POST
        post.headers.add(name: "User-Agent", value: "sluice-webhooks/1")
        post.headers.add(name: "Content-Type", value: "application/json")
        post.headers.add(name: "webhook-id", value: request.id)
        post.headers.add(name: "webhook-timestamp", value: String(request.timestamp))
        post.headers.add(name: "webhook-signature", value: request.signatures.joined(separator: " "))
        post.body = .bytes(ByteBuffer(bytes: request.body))
        let response = try await line.client.execute(post, deadline: .distantFuture)
        let status = Int(response.status.code)
        do {
            _ = try await response.body.collect(upTo: WebhookLimits.answerOctets)
        } catch is NIOTooManyBytesError {
            // The status is known, and nobody asked for the rest.
        }
        switch status {
        case 200..<300: return Result(status: status, error: nil)
        case 300..<400: return Result(status: status, error: "a redirect, which is not followed")
        case 410: return Result(status: status, error: "the endpoint is gone")
        default: return Result(status: status, error: "HTTP status \(status)")
        }
    }

    private static func text(_ error: NIOSSLError) -> String {
        if case .handshakeFailed(.sslError(let stack)) = error, "\(stack)".contains("CERTIFICATE_VERIFY_FAILED") {
            return "the certificate is not trusted"
        }
        return "TLS failed"
    }
}
