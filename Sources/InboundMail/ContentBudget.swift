import Synchronization

/// Bounds what all sessions keep of their mails together.
final class ContentBudget: Sendable {
    private let free: Mutex<Int>

    init(octets: Int) { free = Mutex(octets) }

    var freeOctets: Int { free.withLock(\.self) }

    /// Nil where there is no room now.
    func reserve(_ octets: Int) -> ContentReservation? {
        let isTaken = free.withLock { free in
            guard free >= octets else { return false }
            free -= octets
            return true
        }
        return isTaken ? ContentReservation(octets: octets, of: self) : nil
    }

    fileprivate func giveBack(_ octets: Int) { free.withLock { $0 += octets } }
}

/// Room for one mail's content, given back when nobody holds it any more.
final class ContentReservation: Sendable {
    let octets: Int
    private let budget: ContentBudget

    fileprivate init(octets: Int, of budget: ContentBudget) {
        self.octets = octets
        self.budget = budget
    }

    deinit { budget.giveBack(octets) }
}
