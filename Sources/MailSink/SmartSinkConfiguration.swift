package import SMTPTransport

/// What a ``SmartSink`` does with the mail it gets.
package struct SmartSinkConfiguration: Sendable {
    package enum LoggedRecipient: String, Sendable, CaseIterable {
        /// The lower-cased address's SHA-256 in hexadecimal.
        case sha256
        case plain
    }

    package struct Log: Sendable {
        package var path: String
        package var recipient: LoggedRecipient
        /// Collects lines instead of writing each transaction's before its reply: faster, and lost with the process.
        package var isBuffered: Bool

        package init(path: String, recipient: LoggedRecipient = .sha256, isBuffered: Bool = false) {
            self.path = path
            self.recipient = recipient
            self.isBuffered = isBuffered
        }
    }

    package var host = "127.0.0.1"
    /// 0 lets the system choose.
    package var port = 0
    package var hostname = "sink.example.net"
    /// Offers STARTTLS where there is one.
    package var identity: TLSIdentity?
    /// Offers REQUIRETLS under TLS (RFC 8689), without keeping its promise to anybody: no mail goes on from here.
    package var offersRequireTLS = false
    package var maximumMessageOctets = 50 << 20
    package var eventLoops = 1

    /// Equal seeds, equal fates.
    package var seed: UInt64 = 0
    package var policy = SinkPolicy()
    /// How late the reply comes for `slow+…`.
    package var slowness: Duration = .seconds(3)

    /// Public keys for DKIM: values of TXT records by name, such as `s1._domainkey.example.org`.
    package var keys: [String: String] = [:]
    /// Of the messages taken, 0…1: how many have their DKIM signatures checked.
    package var verifyShare = 0.0
    package var verifyThreads = 1

    /// A folder that gets each message taken as `NNNNNNNN.eml`, with its envelope in `NNNNNNNN.json`.
    package var captureDirectory: String?
    package var log: Log?

    package init() {}
}
