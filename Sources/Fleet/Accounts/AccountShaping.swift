/// What an operator has set for the mail of one account.
package struct AccountShaping: Sendable, Hashable {
    /// Its share where accounts compete, 1…1,000.
    package var weight: Int
    /// Mails a second, all sites together; nil without a cap.
    package var rate: Double?
    /// The pool of source addresses that its mail leaves from; nil for the default one.
    package var pool: String?
    /// The pools that its campaigns may ask for, besides that one.
    package var campaignPools: [String]

    package init(weight: Int = 1, rate: Double? = nil, pool: String? = nil, campaignPools: [String] = []) {
        self.weight = weight
        self.rate = rate
        self.pool = pool
        self.campaignPools = campaignPools
    }

    /// The pool of accounts for which no other was set.
    package static let defaultPool = "default"
}
