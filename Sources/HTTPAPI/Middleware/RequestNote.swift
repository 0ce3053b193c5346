import HTTPTypes
import Identity
import Synchronization

/// What the answer to a request tells of its key's limit, whether it is an answer or a refusal
/// (draft-ietf-httpapi-ratelimit-headers).
final class RequestNote: Sendable {
    private let grant = Mutex<RequestGrant?>(nil)

    func note(_ grant: RequestGrant) { self.grant.withLock { $0 = grant } }

    func add(to headers: inout HTTPFields) {
        guard let grant = grant.withLock({ $0 }) else { return }
        headers[.rateLimitPolicy] = #""key";q=\#(grant.limit);w=60"#
        headers[.rateLimit] = #""key";r=\#(grant.remaining);t=\#(grant.secondsLeft)"#
    }
}

extension HTTPField.Name {
    static let rateLimit = HTTPField.Name("RateLimit")!
    static let rateLimitPolicy = HTTPField.Name("RateLimit-Policy")!
}
