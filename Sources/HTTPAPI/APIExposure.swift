import HTTPTypes
import Hummingbird
package import MailTypes

/// How the API is reached: where TLS ends, which proxies stand before it, and whose web pages may call it.
package struct APIExposure: Sendable {
    /// Whether this listener speaks TLS itself.
    package var hasTLS: Bool
    /// Proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed. From anybody else they say nothing.
    package var proxies: [IPNetwork]
    package var origins: CrossOrigins
    /// Scheme, host and port of pages that may act in a user's name; nil: those of the address that a request itself names.
    let origin: String?

    /// - Parameter publicURL: `https://…`, where people reach the server.
    package init(
        hasTLS: Bool = false, proxies: [IPNetwork] = [], origins: CrossOrigins = CrossOrigins(),
        publicURL: String? = nil
    ) {
        self.hasTLS = hasTLS
        self.proxies = proxies
        self.origins = origins
        origin = publicURL.map { url in
            let parts = url.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false).prefix(3)
            return parts.joined(separator: "/").lowercased()
        }
    }

    /// - Parameter peer: the address of the connection's other end; nil where it has none.
    func client(of request: Request, peer: IPAddress?) -> APIClientOrigin {
        guard let peer, isProxy(peer) else {
            return APIClientOrigin(address: peer, transport: hasTLS ? .encrypted : .unknown)
        }
        let scheme = request.headers[.forwardedProto]?.lowercased()
        return APIClientOrigin(
            address: forwarded(request.headers[values: .forwardedFor], by: peer),
            transport: hasTLS || scheme == "https" ? .encrypted : scheme == "http" ? .plain : .unknown)
    }

    /// The last address that no declared proxy has: each proxy writes down whom it was called by, and what stands before
    /// that was written by strangers.
    private func forwarded(_ fields: [String], by peer: IPAddress) -> IPAddress? {
        var caller = peer
        for entry in fields.joined(separator: ",").split(separator: ",").reversed() {
            guard isProxy(caller) else { break }
            guard let address = IPAddress(entry.filter { !" \t[]".contains($0) }) else { return nil }
            caller = address.unmapped
        }
        return caller
    }

    private func isProxy(_ address: IPAddress) -> Bool { proxies.contains { $0.contains(address) } }
}

/// Who has sent a request, as far as it is known.
struct APIClientOrigin: Sendable, Hashable {
    enum Transport: Sendable, Hashable {
        case encrypted
        /// A proxy has said that the client speaks plain HTTP with it.
        case plain
        case unknown
    }

    /// Nil where it is not known.
    let address: IPAddress?
    let transport: Transport

    static let unknown = APIClientOrigin(address: nil, transport: .unknown)
}

extension HTTPField.Name {
    static let forwardedFor = HTTPField.Name("X-Forwarded-For")!
    static let forwardedProto = HTTPField.Name("X-Forwarded-Proto")!
}
