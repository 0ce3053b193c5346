/// An address of ours that mail leaves from.
package struct MailSource: Sendable, Hashable {
    /// The IP address to bind to, as text.
    package let address: String
    /// The name it gives in EHLO, which its PTR record should bear (RFC 5321 §4.1.4).
    package let heloName: String
    /// Its share among the sources of its pool, 1…1,000.
    package let weight: Int
    /// The pool it belongs to.
    package let pool: String
    /// Nil for a source that receivers know.
    package let warmUp: WarmUpSchedule?

    package init(address: String, heloName: String, weight: Int = 1, pool: String, warmUp: WarmUpSchedule? = nil) {
        precondition((1...1_000).contains(weight), "a source that takes no part is left out")
        self.address = address
        self.heloName = heloName
        self.weight = weight
        self.pool = pool
        self.warmUp = warmUp
    }
}
