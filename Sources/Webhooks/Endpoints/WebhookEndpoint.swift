import Foundation
import MailTypes
package import Postgres
import Vault

/// Where an account wants to be told what happens.
package struct WebhookEndpoint: Sendable, Hashable {
    package let id: WebhookID
    package let url: String
    package let types: WebhookEventTypes
    /// The most events in one message.
    package let batchSize: Int
    package let description: String
    /// Nil while it is active.
    package let disabledReason: String?
    package let createdAt: PostgresTimestamp
    /// Since when no message has come through; nil where the last one did.
    package let failingSince: PostgresTimestamp?
    /// Until when the secret before the present one signs as well, in seconds since 1970.
    package let previousSecretUntil: Int64?
    /// Events delivered, attempts failed, and events given up.
    package let delivered: Int64
    package let failed: Int64
    package let dropped: Int64
}

/// What is sealed of an endpoint.
struct WebhookSettings: Sendable, Codable {
    struct Secret: Sendable, Codable {
        var text: String
        /// Seconds since 1970; nil: the present one.
        var until: Int64?
    }

    var url: String
    var secrets: [Secret]

    /// Those that sign at a time, the present one first.
    func secrets(at seconds: Int64) -> [WebhookSecret] {
        secrets.filter { $0.until.map { $0 > seconds } ?? true }.compactMap { WebhookSecret($0.text) }
    }

    /// The present secret signs on beside the new one for a while.
    mutating func rotate(to secret: WebhookSecret, at seconds: Int64, overlap: Int64) {
        let earlier = secrets.first { $0.until == nil }.map { Secret(text: $0.text, until: seconds + overlap) }
        secrets = [Secret(text: secret.text, until: nil)] + (overlap > 0 ? [earlier].compactMap(\.self) : [])
    }

    func sealed(_ key: SealingKey, _ account: AccountID, _ id: WebhookID) throws -> [UInt8] {
        try key.seal(Array(JSONEncoder().encode(self)), as: Self.context(account, id))
    }

    init(url: String, secrets: [Secret]) {
        self.url = url
        self.secrets = secrets
    }

    init(_ sealed: [UInt8], _ key: SealingKey, _ account: AccountID, _ id: WebhookID) throws {
        self = try JSONDecoder().decode(Self.self, from: Data(key.open(sealed, as: Self.context(account, id))))
    }

    private static func context(_ account: AccountID, _ id: WebhookID) -> SealContext {
        SealContext(account: account, purpose: .webhookEndpoint, label: id.description)
    }
}

/// One try to deliver a message.
package struct WebhookAttempt: Sendable, Hashable {
    package let number: Int64
    /// As in the header `webhook-id`.
    package let message: String
    package let events: Int
    /// 1 for the first try.
    package let attempt: Int
    /// HTTP status; nil without an answer.
    package let status: Int?
    package let milliseconds: Int
    /// What was wrong; nil where it was delivered.
    package let error: String?
    package let attemptedAt: PostgresTimestamp
}
