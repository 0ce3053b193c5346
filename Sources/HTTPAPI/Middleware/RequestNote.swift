import HTTPTypes
import Identity
import Synchronization

/// What the answer to a request tells besides, whether it is an answer or a refusal: the limit of its key or
/// its user (draft-ietf-httpapi-ratelimit-headers), and cookies.
final class RequestNote: Sendable {
    private let grant = Mutex<(RequestGrant, policy: String)?>(nil)
    private let cookies = Mutex<[HTTPField]>([])

    /// - Parameter policy: whose requests are counted, `key` or `user`
    func note(_ grant: RequestGrant, policy: String) { self.grant.withLock { $0 = (grant, policy) } }

    /// The last that are noted count: who signs out needs no fresh token.
    func note(_ cookies: [HTTPField]) { self.cookies.withLock { $0 = cookies } }

    func add(to headers: inout HTTPFields) {
        for cookie in cookies.withLock({ $0 }) { headers.append(cookie) }
        guard let (grant, policy) = self.grant.withLock({ $0 }) else { return }
        headers[.rateLimitPolicy] = #""\#(policy)";q=\#(grant.limit);w=60"#
        headers[.rateLimit] = #""\#(policy)";r=\#(grant.remaining);t=\#(grant.secondsLeft)"#
    }
}

extension HTTPField.Name {
    static let rateLimit = HTTPField.Name("RateLimit")!
    static let rateLimitPolicy = HTTPField.Name("RateLimit-Policy")!
}
