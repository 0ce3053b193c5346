/// The bounds of the API in one place. Octets unless said otherwise.
package enum APILimits {
    /// Database connections that one account's requests may have at a time on a node.
    package static let connectionsPerAccount = 3
    /// A campaign's JSON: 25 MiB of encoded message is some 19 MiB of attachments, in base64 with room for the text.
    package static let bodyBytes = 40 * 1024 * 1024
    /// JSON bodies that hold no attachments.
    package static let smallBodyBytes = 1024 * 1024
    /// An address and a password, with escapes.
    package static let signInBodyBytes = 8_192
    /// The longest list of suppressions: 10,000 addresses of 254 octets, with quotes and escapes.
    package static let suppressionBodyBytes = 4 * 1024 * 1024
    /// A list of suppressed addresses that was kept elsewhere.
    package static let suppressionListBytes = 25 * 1024 * 1024
    /// A one-click unsubscribe has a body of 26 octets (RFC 8058 §3.2).
    package static let unsubscribeBodyBytes = 16_384
    /// Bodies read whole that are open at the same time, together: of an account, and of all on this node. What is larger
    /// than ``freeBodyBytes`` of each counts, so that small ones are never refused for the sake of large ones.
    package static let openBodyBytesPerAccount = 48 * 1024 * 1024
    package static let openBodyBytes = 128 * 1024 * 1024
    package static let freeBodyBytes = 65_536
    /// A body read whole comes at this rate or faster, on average after the first seconds, and an upload at that one: else
    /// it keeps its place from others.
    package static let bodyBytesPerSecond = 16_384
    package static let uploadBytesPerSecond = 1_024
    package static let patienceSeconds = 60
    /// Objects and arrays inside each other. No body of this API needs more than three.
    package static let jsonDepth = 16
    package static let pageSize = 100
    package static let maximumPageSize = 1_000
    /// Addresses in one call that adds suppressions.
    package static let suppressionsPerCall = 10_000
    /// Addresses not taken that an answer names. Further ones are only counted.
    package static let reportedAddresses = 1_000
    /// The text of an unsubscribe link's token.
    package static let tokenBytes = 128
    /// What one network has for links behind List-Unsubscribe that are not ours, at once and then each second, and what
    /// one of them takes. Good ones take nothing: mailbox providers click for many recipients from few addresses.
    package static let publicBurst = 600.0
    package static let publicPerSecond = 20.0
    package static let brokenLinkCost = 20.0
    /// An event stream ends after so long; clients come back by themselves.
    package static let eventStreamSeconds: Int64 = 3_600
    /// Event streams that one account may have open on this node.
    package static let eventStreamsPerAccount = 32
    /// Uploads of recipients that one account may have under way on this node.
    package static let uploadsPerAccount = 8
    /// Uploads under way on this node. Each keeps some MiB of memory. Where more than half of the places are taken, an
    /// account gets one.
    package static let uploads = 128
    /// Listings of recipients that one account may have under way on this node: each opens batches of 1,000.
    package static let listingsPerAccount = 4
    /// Streams of outcomes that one account may have open on this node, and all together. Each keeps up to a batch's lines.
    package static let outcomeStreamsPerAccount = 4
    package static let outcomeStreams = 256
    /// Pauses, resumptions and cancellations that an account may ask for at once, and then each second. Each makes all
    /// nodes look at the campaign.
    package static let steeringBurst = 60.0
    package static let steeringPerSecond = 2.0
    /// An answer that too much was asked for waits so long.
    package static let refusalPause = Duration.seconds(1)
    /// Connections that are open at a time; further ones wait in the listener's queue.
    package static let connections = 4_096
    /// Connections to the listener that only redirects and refuses.
    package static let redirectorConnections = 256
    /// A connection on which no request has come, or went on coming, for so long is closed.
    package static let idleSeconds: Int64 = 120
}
