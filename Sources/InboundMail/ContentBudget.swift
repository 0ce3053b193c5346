import Synchronization

/// Bounds what all sessions keep of their mails together, and what those of one client do, so that none takes the room
/// of all others.
final class ContentBudget: Sendable {
    private struct Room {
        var free: Int
        var held: [ClientKey: Int] = [:]
    }

    private let share: Int
    private let room: Mutex<Room>

    /// - Parameter share: what one client may hold.
    init(octets: Int, share: Int) {
        self.share = share
        room = Mutex(Room(free: octets))
    }

    var freeOctets: Int { room.withLock { $0.free } }

    /// Nil where there is no room now, or the client has its share.
    func reserve(_ octets: Int, for client: ClientKey) -> ContentReservation? {
        let isTaken = room.withLock { room in
            let held = room.held[client] ?? 0
            guard room.free >= octets, held + octets <= share else { return false }
            room.free -= octets
            room.held[client] = held + octets
            return true
        }
        return isTaken ? ContentReservation(octets: octets, of: self, for: client) : nil
    }

    fileprivate func giveBack(_ octets: Int, of client: ClientKey) {
        room.withLock { room in
            room.free += octets
            let left = (room.held[client] ?? 0) - octets
            room.held[client] = left > 0 ? left : nil
        }
    }
}

/// Room for one mail's content, given back when nobody holds it any more.
final class ContentReservation: Sendable {
    let octets: Int
    private let client: ClientKey
    private let budget: ContentBudget

    fileprivate init(octets: Int, of budget: ContentBudget, for client: ClientKey) {
        self.octets = octets
        self.client = client
        self.budget = budget
    }

    deinit { budget.giveBack(octets, of: client) }
}
