/// What an account has. Credits; one credit pays one delivered mail.
package struct CreditBalance: Sendable, Hashable {
    /// Granted minus charged.
    package let posted: Int64
    /// Reserved for mail not settled yet.
    package let held: Int64
    /// How far `posted − held` may go below zero.
    package let limit: Int64

    package init(posted: Int64, held: Int64, limit: Int64) {
        self.posted = posted
        self.held = held
        self.limit = limit
    }

    /// What can still be reserved; never negative.
    package var available: Int64 { posted - held + limit }
}
