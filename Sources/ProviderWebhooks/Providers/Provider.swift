import Crypto
import Foundation

/// How one provider's deliveries are believed and read.
protocol Provider: Sendable {
    /// Whether the delivery is the provider's own, sent to this source.
    ///
    /// - Parameter now: seconds since 1970
    /// - Throws: ``ProviderRefusal``; other errors mean that it could not be told now
    func verify(_ delivery: ProviderDelivery, _ material: SourceMaterial, now: Int64) async throws -> Verified

    /// What a body that was verified reports.
    ///
    /// - Throws: ``JSONReader/Malformed``
    func events(_ body: [UInt8]) throws -> [ProviderEvent]

    /// The answer to a delivery that is no use, however often it comes.
    var uselessStatus: Int { get }
}

extension Provider {
    var uselessStatus: Int { 400 }

}

/// What is to be done with a delivery that is believed.
enum Verified: Sendable {
    /// Keep it. A second one with this receipt is a repetition; where it has another body, somebody has taken the signature for
    /// it.
    case keep(receipt: [UInt8])
    /// It was for us alone, and is done.
    case done

    /// Where the signature covers the body.
    static func body(_ delivery: ProviderDelivery) -> Verified { .keep(receipt: delivery.digest) }
}

/// A request as it came.
package struct ProviderDelivery: Sendable {
    /// By lower-case name.
    let headers: [String: String]
    let body: [UInt8]
    /// SHA-256 of the body.
    let digest: [UInt8]

    /// - Parameter headers: of a name that stands twice the first counts.
    package init(headers: [(name: String, value: String)], body: [UInt8]) {
        self.headers = Dictionary(headers.map { ($0.name.lowercased(), $0.value) }) { first, _ in first }
        self.body = body
        digest = Array(SHA256.hash(data: body))
    }
}

/// Why a delivery is not taken. Says nothing of keys, addresses or content.
struct ProviderRefusal: Error, Sendable, Hashable {
    enum Cause: String, Sendable {
        /// Signature, secret or topic are not those of the source.
        case unauthentic
        /// The signature is too old, or of the future.
        case stale
        /// A signature that was used for another body.
        case replayed
        case unreadable
    }

    let cause: Cause
    let detail: String

    static func unauthentic(_ detail: String) -> ProviderRefusal { .init(cause: .unauthentic, detail: detail) }
    static let stale = ProviderRefusal(cause: .stale, detail: "The signature is too old, or a clock is wrong.")
    static let replayed = ProviderRefusal(cause: .replayed, detail: "The signature was used for another body before.")
    static let unreadable = ProviderRefusal(
        cause: .unreadable, detail: "The body is not the JSON that this provider sends, or has too many events.")
}

enum Signatures {
    static func base64(_ text: String) -> [UInt8]? {
        guard text.utf8.count <= 8_192, let data = Data(base64Encoded: text) else { return nil }
        return Array(data)
    }

    /// - Parameter age: how old the signature may be, in seconds
    static func checkTime(_ text: String, now: Int64, age: Int64) throws(ProviderRefusal) {
        guard text.utf8.count <= 20, let time = Int64(text) else { throw .unauthentic("The signature has no time.") }
        guard (now - age...now + ProviderLimits.clockSkewSeconds).contains(time) else { throw .stale }
    }
}
