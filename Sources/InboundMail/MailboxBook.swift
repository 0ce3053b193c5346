import Feedback
import MailTypes
import SendingDomains
import Synchronization
import Vault

/// Why there is no such recipient here.
enum Miss: String, Sendable, Hashable, CaseIterable {
    case mailbox, domain, token, expired
}

/// Knows who can be written to.
struct MailboxBook: Sendable {
    let attributor: Attributor
    let domains: KnownDomains

    /// - Throws: where the databases do not answer; nobody is refused for that.
    func find(_ mailbox: InboundMailbox, at domain: Substring) async throws -> Result<InboundRecipient, Miss> {
        guard let name = try? DomainName(String(domain)) else { return .failure(.domain) }
        switch mailbox {
        case .feedbackLoop:
            guard try await domains.isReturnPath(name, of: nil) else { return .failure(.domain) }
            return .success(.feedbackLoop)
        case .returnPath(let text):
            switch try await attributor.verify(text) {
            case .foreign: return .failure(.token)
            case .expired: return .failure(.expired)
            case .valid(let token):
                guard try await domains.isReturnPath(name, of: token.account) else { return .failure(.domain) }
                return .success(.returnPath(token))
            }
        case .unsubscribe(let text):
            // Who wants no more is never too late.
            switch try await attributor.verify(text) {
            case .foreign: return .failure(.token)
            case .expired(let token), .valid(let token):
                guard try await domains.isReturnPath(name, of: token.account) else { return .failure(.domain) }
                return .success(.unsubscribe(token))
            }
        }
    }
}

extension Miss: Error {}

/// Remembers for a minute which domains are return paths, because a provider's reports come by the thousand.
final class KnownDomains: Sendable {
    private struct Key: Hashable {
        let domain: DomainName
        let account: AccountID?
    }

    private let domains: SendingDomains
    private let known = Mutex<[Key: (isReturnPath: Bool, until: ContinuousClock.Instant)]>([:])

    private static let seconds = 60
    private static let most = 10_000

    init(_ domains: SendingDomains) { self.domains = domains }

    func isReturnPath(_ domain: DomainName, of account: AccountID?) async throws -> Bool {
        let key = Key(domain: domain, account: account)
        let now = ContinuousClock.now
        if let entry = known.withLock({ $0[key] }), entry.until > now { return entry.isReturnPath }
        let answer = try await domains.isReturnPath(domain, of: account)
        known.withLock { known in
            if known.count >= Self.most { known.removeAll() }
            known[key] = (answer, now + .seconds(Self.seconds))
        }
        return answer
    }
}
