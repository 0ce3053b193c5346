import Crypto
import Foundation
import MailTypes

/// Signatures as standardwebhooks.com says: HMAC-SHA256 over `id.timestamp.body`; svix, which Resend uses, gives the fields
/// its own names.
package enum StandardWebhooks {
    static func verify(
        _ delivery: ProviderDelivery, _ keys: [String], now: Int64
    ) throws(ProviderRefusal) -> Verified {
        func field(_ name: String) -> String? {
            delivery.headers["webhook-" + name] ?? delivery.headers["svix-" + name]
        }
        guard let id = field("id"), let time = field("timestamp"), let list = field("signature"), id.utf8.count <= 200
        else { throw .unauthentic("The delivery is not signed.") }
        // Several while the sender replaces its key.
        let signatures = list.split(separator: " ").prefix(ProviderLimits.signatures).compactMap { part in
            part.hasPrefix("v1,") ? Signatures.base64(String(part.dropFirst(3))) : nil
        }
        let isRight = keys.compactMap(key).contains { key in
            var code = HMAC<SHA256>(key: key)
            code.update(data: Array("\(id).\(time).".utf8))
            code.update(data: delivery.body)
            let right = Array(code.finalize())
            return signatures.contains { $0.equalsInConstantTime(right) }
        }
        guard isRight else { throw .unauthentic("The signature is not by a key of this source.") }
        try Signatures.checkTime(time, now: now, age: ProviderLimits.freshSignatureSeconds)
        return .body(delivery)
    }

    /// `whsec_` and base64 of 24 to 64 octets; without the prefix the same.
    static func key(_ text: String) -> SymmetricKey? {
        let base64 = text.hasPrefix("whsec_") ? String(text.dropFirst(6)) : text
        guard let octets = Signatures.base64(base64), (16...128).contains(octets.count) else { return nil }
        return SymmetricKey(data: octets)
    }

    /// A new key in its usual spelling.
    package static func newKey() -> String {
        "whsec_" + SymmetricKey(size: .bits256).withUnsafeBytes { Data($0).base64EncodedString() }
    }
}
