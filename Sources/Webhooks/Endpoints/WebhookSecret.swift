import Crypto
import FoundationEssentials
import MailTypes

/// What messages to an endpoint are signed with: `whsec_` and the base64 of 32 random octets (Standard Webhooks 1.0).
package struct WebhookSecret: Sendable, Hashable {
    private let octets: Redacted<[UInt8]>

    private static let prefix = "whsec_"

    /// A new one.
    package init() {
        var generator = SystemRandomNumberGenerator()
        octets = Redacted((0..<32).map { _ in UInt8.random(in: 0...255, using: &generator) })
    }

    /// Nil unless the text has the form, and 24 to 64 octets.
    package init?(_ text: String) {
        guard text.hasPrefix(Self.prefix), let data = Data(base64Encoded: String(text.dropFirst(Self.prefix.count))),
            (24...64).contains(data.count)
        else { return nil }
        octets = Redacted(Array(data))
    }

    /// What the owner of the endpoint is shown once.
    package var text: String { Self.prefix + Data(octets.exposed).base64EncodedString() }

    /// `v1,` and the base64 of the HMAC-SHA256 of `id.timestamp.body`.
    ///
    /// - Parameter timestamp: seconds since 1970.
    package func signature(id: String, timestamp: Int64, body: [UInt8]) -> String {
        var code = HMAC<SHA256>(key: SymmetricKey(data: octets.exposed))
        code.update(data: Array("\(id).\(timestamp).".utf8))
        code.update(data: body)
        return "v1," + Data(code.finalize()).base64EncodedString()
    }
}

/// Checks what an endpoint gets (Standard Webhooks 1.0), as its owner should.
package struct WebhookVerifier: Sendable {
    package enum Failure: String, Error, Sendable, CustomStringConvertible {
        case missingHeader = "a header is missing"
        case tooOldOrNew = "the timestamp is more than five minutes away"
        case wrongSignature = "no signature fits"

        package var description: String { rawValue }
    }

    private let secret: WebhookSecret
    /// Seconds by which a timestamp may differ.
    private static let tolerance: Int64 = 300

    package init(_ secret: WebhookSecret) { self.secret = secret }

    /// - Parameters:
    ///   - signatures: the header `webhook-signature`: one or more, separated by blanks.
    ///   - now: seconds since 1970.
    package func verify(
        id: String?, timestamp: String?, signatures: String?, body: [UInt8], now: Int64
    ) throws(Failure) {
        guard let id, let signatures, let timestamp = timestamp.flatMap({ Int64($0) }) else { throw .missingHeader }
        guard abs(now.subtractingReportingOverflow(timestamp).partialValue) <= Self.tolerance else {
            throw .tooOldOrNew
        }
        let right = secret.signature(id: id, timestamp: timestamp, body: body).utf8
        let isRight = signatures.split(separator: " ").contains { right.equalsInConstantTime($0.utf8) }
        guard isRight else { throw .wrongSignature }
    }
}
