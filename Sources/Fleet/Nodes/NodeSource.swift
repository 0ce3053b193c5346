/// An address that a node sends from.
package struct NodeSource: Sendable, Hashable {
    /// Empty where the system picks it.
    package let address: String
    package let pool: String
    /// The first day of its warm-up, in days since 1970; nil for one that receivers know.
    package let warmUpFrom: Int?
    /// Mails to one provider on that day and those after; later there is no limit.
    package let allowances: [Int]

    package init(address: String, pool: String, warmUpFrom: Int? = nil, allowances: [Int] = []) {
        self.address = address
        self.pool = pool
        self.warmUpFrom = warmUpFrom
        self.allowances = allowances
    }
}
