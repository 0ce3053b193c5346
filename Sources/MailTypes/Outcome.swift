/// The final fate of one recipient. Each recipient gets exactly one.
///
/// The raw values are stored; never renumber them.
package enum Outcome: Int16, CaseIterable, Sendable, Codable {
    /// The recipient's server took responsibility for the mail (RFC 5321 §6.1): the only outcome that is charged.
    case delivered = 1
    /// Refused for good, or failed by an operator.
    case bounced = 2
    /// Refused for now until the campaign's expiry passed.
    case expired = 3
    /// Not dialled: the address is on the account's suppression list.
    case suppressed = 4
    /// Not dialled: the message could not be made for this recipient, say for want of a variable.
    case invalid = 5
    /// Not dialled (again): the campaign was cancelled.
    case cancelled = 6
    /// The answer to the final dot was lost, and the campaign asked not to send again.
    case inDoubt = 7

    /// The name used in the API and in counters.
    package var name: String {
        switch self {
        case .delivered: "delivered"
        case .bounced: "bounced"
        case .expired: "expired"
        case .suppressed: "suppressed"
        case .invalid: "invalid"
        case .cancelled: "cancelled"
        case .inDoubt: "in_doubt"
        }
    }

    package init?(name: String) {
        guard let outcome = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = outcome
    }
}
