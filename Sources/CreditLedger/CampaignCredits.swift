/// The credits of one campaign, over all its holds. Carried holds count where they were carried to.
package struct CampaignCredits: Sendable, Hashable {
    /// In open holds.
    package let held: Int64
    /// Charged for delivered mail. What was refunded later is part of it.
    package let charged: Int64
    /// Given back with a hold: it was never charged.
    package let released: Int64
    /// Given back of what was charged, for mail that came back later.
    package let refunded: Int64

    package init(held: Int64, charged: Int64, released: Int64, refunded: Int64 = 0) {
        self.held = held
        self.charged = charged
        self.released = released
        self.refunded = refunded
    }
}
