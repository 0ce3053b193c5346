import MailSigning

/// What the DNS said of one record.
package struct DomainFinding: Sendable, Hashable {
    package enum State: String, Sendable, Hashable {
        case found, missing
        /// There is something else.
        case wrong
        /// The DNS did not answer.
        case unknown
    }

    /// ``DNSRecordAdvice/Purpose`` by name, or ``challenge``.
    package let purpose: String
    /// Where it was looked for.
    package let name: String
    package let state: State
    /// What was there, at most ``seenOctets`` of it.
    package let seen: String?
    /// What that means, for people.
    package let note: String?

    package init(_ purpose: String, _ name: String, _ state: State, seen: String? = nil, note: String? = nil) {
        self.purpose = purpose
        self.name = name
        self.state = state
        self.seen = seen.map(Self.bounded)
        self.note = note
    }

    init(
        _ purpose: DNSRecordAdvice.Purpose, _ name: String, _ state: State, seen: String? = nil, note: String? = nil
    ) {
        self.init(purpose.rawValue, name, state, seen: seen, note: note)
    }

    /// Of the TXT record that proves a domain by itself.
    package static let challenge = "challenge"
    /// A whole RSA key with 4,096 bits.
    package static let seenOctets = 1_024

    /// Anybody's text: bounded, and without what a database or a terminal would not take.
    private static func bounded(_ text: String) -> String {
        let shown = text.utf8.prefix(seenOctets).map { (0x20...0x7E).contains($0) ? $0 : UInt8(ascii: "?") }
        return String(decoding: shown, as: UTF8.self)
    }
}
