import MailSigning
import MailTypes
import Synchronization

/// Signers in use. Bounded in number, and in age, because another node may have removed the domain or replaced its
/// keys.
final class SignerCache: Sendable {
    private struct Key: Hashable {
        let account: AccountID
        let domain: DomainName
    }

    private struct Member {
        let signer: DKIMSigner
        let until: ContinuousClock.Instant
    }

    private let members = Mutex<[Key: Member]>([:])

    func signer(_ account: AccountID, _ domain: DomainName) -> DKIMSigner? {
        members.withLock { members in
            guard let member = members[Key(account: account, domain: domain)], member.until > .now else { return nil }
            return member.signer
        }
    }

    func insert(_ signer: DKIMSigner, _ account: AccountID, _ domain: DomainName) {
        members.withLock { members in
            if members.count >= Self.capacity, let oldest = members.min(by: { $0.value.until < $1.value.until }) {
                members[oldest.key] = nil
            }
            members[Key(account: account, domain: domain)] = Member(signer: signer, until: .now + Self.lifetime)
        }
    }

    func remove(_ account: AccountID, _ domain: DomainName) {
        members.withLock { $0[Key(account: account, domain: domain)] = nil }
    }

    private static let capacity = 256
    private static let lifetime = Duration.seconds(300)
}
