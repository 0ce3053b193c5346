/// Why an address must not be mailed. Where several apply, the strongest is kept: the one that the sender may least
/// set aside.
package enum SuppressionReason: String, CaseIterable, Sendable, Hashable {
    /// Not an address that can be delivered to, found before any attempt.
    case invalid
    /// The receiver said for good that there is no such mailbox.
    case hardBounce = "hard_bounce"
    /// The customer asked for it.
    case manual
    /// The recipient asked for it.
    case unsubscribe
    /// The recipient reported spam.
    case complaint

    /// What is stored; a stronger reason has a larger number. Never renumber.
    var rank: Int16 {
        switch self {
        case .invalid: 1
        case .hardBounce: 2
        case .manual: 3
        case .unsubscribe: 4
        case .complaint: 5
        }
    }

    init?(rank: Int16) {
        guard let reason = Self.allCases.first(where: { $0.rank == rank }) else { return nil }
        self = reason
    }
}

/// Who or what suppressed an address.
package enum SuppressionOrigin: String, CaseIterable, Sendable, Hashable {
    /// The customer, over the API or the command line.
    case customer
    /// A receiver's reply during delivery.
    case reply
    /// A bounce or complaint that came later.
    case feedback
    /// The recipient, through the unsubscribe link.
    case recipient
    /// The operator.
    case `operator`
}
