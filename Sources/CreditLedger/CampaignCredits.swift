/// The credits of one campaign, over all its holds. Carried holds count where they were carried to.
package struct CampaignCredits: Sendable, Hashable {
    /// In open holds.
    package let held: Int64
    /// Charged for delivered mail.
    package let charged: Int64
    /// Given back.
    package let released: Int64

    package init(held: Int64, charged: Int64, released: Int64) {
        self.held = held
        self.charged = charged
        self.released = released
    }
}
