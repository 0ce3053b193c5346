import Crypto
import Foundation
import MailTypes

/// For providers that sign nothing: a secret in a header field, beside the one in the address.
package enum SharedSecret {
    static func verify(
        _ delivery: ProviderDelivery, _ material: SourceMaterial
    ) throws(ProviderRefusal) -> Verified {
        guard let header = material.header, let hash = material.headerHash,
            let value = delivery.headers[header.lowercased()]
        else { throw .unauthentic("The secret of this source is missing.") }
        guard Array(SHA256.hash(data: Array(value.utf8))).equalsInConstantTime(Array(hash)) else {
            throw .unauthentic("The secret of this source is another.")
        }
        return .body(delivery)
    }

    /// The value of an Authorization field (RFC 7617).
    package static func basic(user: String, password: String) -> String {
        "Basic " + Data("\(user):\(password)".utf8).base64EncodedString()
    }
}
