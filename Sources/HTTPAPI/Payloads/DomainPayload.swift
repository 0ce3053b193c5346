import Foundation
import MailSigning
import SendingDomains

/// The body of `POST /v1/domains`.
struct DomainPayload: StrictPayload {
    let domain: String
    let selector: String?
    /// Whether mail is also signed with Ed25519 (RFC 8463).
    let ed25519: Bool?
    /// In place of the new key of its kind.
    let privateKey: String?

    enum CodingKeys: String, CodingKey, CaseIterable {
        case domain, selector, ed25519
        case privateKey = "private_key"
    }

    var algorithms: [DKIMKey.Algorithm] { ed25519 == true ? [.rsaSHA256, .ed25519SHA256] : [.rsaSHA256] }

    /// - Throws: `SendingDomainError`
    func key() throws -> DKIMKey? {
        guard let key = try privateKey.map({ try DKIMKey(pem: $0) }) else { return nil }
        guard algorithms.contains(key.algorithm) else {
            throw SendingDomainError(.invalidKey, "an Ed25519 key signs beside an RSA key: ask for both with ed25519")
        }
        return key
    }
}

/// The body of `POST /v1/domains/{domain}/keys`.
struct DomainKeyPayload: StrictPayload {
    let selector: String?
    let algorithm: String?
    let privateKey: String?

    enum CodingKeys: String, CodingKey, CaseIterable {
        case selector, algorithm
        case privateKey = "private_key"
    }

    /// - Throws: ``Problem``
    func chosenAlgorithm() throws -> DKIMKey.Algorithm {
        guard let name = algorithm else { return .rsaSHA256 }
        guard let chosen = DKIMKey.Algorithm(rawValue: name) else {
            throw Problem.invalid(
                "invalid_field", "The algorithm is rsa-sha256 or ed25519-sha256.", fields: ["algorithm"])
        }
        return chosen
    }

    /// - Throws: `SendingDomainError`
    func key() throws -> DKIMKey? { try privateKey.map { try DKIMKey(pem: $0) } }
}

extension DKIMKey {
    /// - Throws: `SendingDomainError` `.invalidKey`; nothing of the key is in it.
    fileprivate init(pem: String) throws {
        do throws(DKIMError) {
            try self.init(privateKeyPEM: pem)
        } catch {
            throw SendingDomainError(.invalidKey, error.detail)
        }
    }
}
