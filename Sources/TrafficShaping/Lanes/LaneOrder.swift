/// What a lane has to do for its operator.
package struct LaneOrder: Sendable, Hashable {
    /// The strictest last.
    package enum Action: Int, Sendable, Comparable {
        /// What waits is sent, and what comes goes back to the store.
        case drain
        /// No mail starts, and what waits goes back to the store if that is for long.
        case suspend
        /// What waits and what comes ends as bounced.
        case fail

        package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
    }

    package let action: Action
    package let reason: String
    /// Tells two orders of one kind apart.
    package let givenAt: Int64
    /// Nil until it is lifted.
    package let until: SteadySeconds?

    package init(action: Action, reason: String, givenAt: Int64, until: SteadySeconds? = nil) {
        self.action = action
        self.reason = reason
        self.givenAt = givenAt
        self.until = until
    }

    /// When a lane under it takes mail again; never where what comes ends.
    package func opensAt(_ now: SteadySeconds) -> SteadySeconds {
        switch action {
        case .drain, .suspend: until ?? now + LaneGovernor.suspendedSeconds
        case .fail: .infinity
        }
    }

    /// The same order as it was read before; its end is told anew with each reading.
    package func isSame(as other: LaneOrder?) -> Bool {
        other.map { ($0.action, $0.reason, $0.givenAt) == (action, reason, givenAt) } ?? false
    }
}
