/// The bounds of webhooks in one place.
package enum WebhookLimits {
    /// Endpoints of an account.
    package static let endpoints = 20
    /// Octets of an endpoint's address.
    package static let urlOctets = 2_000
    package static let descriptionOctets = 200
    /// Events in one message.
    package static let batchSize = 100
    /// Events in one row of the outbox.
    package static let packEvents = 100
    /// Octets of a reply that is told.
    package static let replyOctets = 200
    /// Rows of an account's outbox, delivered ones included. The oldest are dropped.
    package static let rows: Int64 = 200_000
    /// Octets of an account's outbox, delivered rows included. The oldest are dropped.
    package static let octets: Int64 = 256 << 20
    /// How long an event is tried, and kept.
    package static let lifetimeSeconds: Int64 = 3 * 86_400
    /// For one message, from the look-up to the end of the answer.
    package static let timeout = Duration.seconds(15)
    /// Octets of an answer that are read.
    package static let answerOctets = 16_384
    /// Addresses of a host that are tried.
    package static let addresses = 3
    /// Attempts of an endpoint that are kept.
    package static let attempts = 500
    /// For how long both secrets sign after a rotation, unless somebody says otherwise.
    package static let overlapSeconds: Int64 = 86_400
    package static let longestOverlapSeconds: Int64 = 7 * 86_400
    /// Endpoints that a node serves at a time, and of one account.
    package static let runs = 64
    package static let runsPerAccount = 4
    /// Campaigns whose events one endpoint gets at the same time.
    package static let streams = 4
}
