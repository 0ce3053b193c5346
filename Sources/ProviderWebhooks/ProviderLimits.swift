/// The bounds of providers' webhooks in one place. Octets unless said otherwise.
package enum ProviderLimits {
    /// SendGrid sends up to 768 KiB at once, SNS 256 KiB, SparkPost 350 events.
    package static let bodyBytes = 2 * 1024 * 1024
    /// Objects and arrays inside each other.
    package static let jsonDepth = 32
    /// Events of one body; what is beyond them is refused, not cut.
    package static let eventsPerBody = 10_000
    /// Deliveries that are read or verified at the same time on a node: of one source, and of all.
    package static let openPerSource = 24
    package static let open = 48
    /// Bodies that wait to be worked off, and their octets together.
    package static let waiting = 20_000
    package static let waitingBytes = 1 << 30
    /// A provider that is turned away comes again after so many seconds.
    package static let retrySeconds = 15
    /// For so long a repetition is known by its receipt. Longer than any provider tries, and than any signature is good for.
    package static let receiptHours = 72
    /// How old the time in a signature may be where retries carry the first one's time.
    package static let retriedSignatureSeconds: Int64 = 48 * 3_600
    /// As the specification of Standard Webhooks has it: each attempt is signed anew.
    package static let freshSignatureSeconds: Int64 = 300
    /// How far a provider's clock may be ahead.
    package static let clockSkewSeconds: Int64 = 300
    /// Sources of an installation.
    package static let sources = 100
    /// Keys of one source, while one replaces another.
    package static let keys = 4
    /// Signatures of one delivery that are looked at.
    package static let signatures = 10
    /// Another node's change of the sources is known after so many seconds.
    package static let bookSeconds = 2
    /// Texts of one event that look like tokens.
    package static let candidates = 8
    /// Bodies that one round works off, each in a transaction of its own.
    package static let payloadsPerRound = 16
    /// What cannot be worked off because an account is stopped comes again after so many minutes, as long as its receipt is kept.
    package static let putOffMinutes = 10
    /// A signing certificate of Amazon: its octets, how many are kept, for how long; and how soon one that could not be
    /// fetched is fetched again.
    package static let certificateBytes = 16_384
    package static let certificates = 16
    package static let certificateHours = 24
    package static let certificatePauseSeconds = 30
    /// For one request to Amazon. SNS waits 15 seconds for our answer.
    package static let fetchSeconds = 8
    /// A source of `sluice feedback test` is good for so many minutes.
    package static let testMinutes = 10
}
