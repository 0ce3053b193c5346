/// Records that were found, and whether DNSSEC proves them. Answers that contradict their signatures never become
/// records: they are a `temporary(.bogus)` failure.
package struct DNSRecords<Value: Sendable & Hashable>: Sendable, Hashable {
    package let values: [Value]
    /// Signed all the way down from a trust anchor, the aliases included. False for zones without signatures, and always
    /// without a trust anchor.
    package let isSecure: Bool

    package init(values: [Value], isSecure: Bool) {
        self.values = values
        self.isSecure = isSecure
    }
}
