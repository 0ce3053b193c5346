import Foundation
import MailSigning

/// The body of `POST /v1/domains`.
struct DomainPayload: StrictPayload {
    let domain: String
    let selector: String?
    /// Whether mail is also signed with Ed25519 (RFC 8463).
    let ed25519: Bool?

    enum CodingKeys: String, CodingKey, CaseIterable {
        case domain, selector, ed25519
    }

    var algorithms: [DKIMKey.Algorithm] { ed25519 == true ? [.rsaSHA256, .ed25519SHA256] : [.rsaSHA256] }
}
