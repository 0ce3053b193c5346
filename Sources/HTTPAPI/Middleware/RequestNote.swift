import HTTPTypes
import Identity
import Synchronization

/// What the answer to a request tells besides, whether it is an answer or a refusal: its key's limit
/// (draft-ietf-httpapi-ratelimit-headers), and cookies.
final class RequestNote: Sendable {
    private let grant = Mutex<RequestGrant?>(nil)
    private let cookies = Mutex<[HTTPField]>([])

    func note(_ grant: RequestGrant) { self.grant.withLock { $0 = grant } }

    /// The last that are noted count: who signs out needs no fresh token.
    func note(_ cookies: [HTTPField]) { self.cookies.withLock { $0 = cookies } }

    func add(to headers: inout HTTPFields) {
        for cookie in cookies.withLock({ $0 }) { headers.append(cookie) }
        guard let grant = grant.withLock({ $0 }) else { return }
        headers[.rateLimitPolicy] = #""key";q=\#(grant.limit);w=60"#
        headers[.rateLimit] = #""key";r=\#(grant.remaining);t=\#(grant.secondsLeft)"#
    }
}

extension HTTPField.Name {
    static let rateLimit = HTTPField.Name("RateLimit")!
    static let rateLimitPolicy = HTTPField.Name("RateLimit-Policy")!
}
