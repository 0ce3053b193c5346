import MailTypes
import Synchronization

/// Bounds the octets of request bodies that are in memory at the same time: of each account, and of all.
///
/// A body takes room as it comes, not as it is announced, and keeps it until its request is done. The first
/// ``APILimits/freeBodyBytes`` of each are free, so that small requests get through whatever others do.
final class OpenBodies: Sendable {
    private struct State {
        var byAccount: [AccountID: Int] = [:]
        var total = 0
    }

    private let state = Mutex(State())
    private let perAccount: Int
    private let onNode: Int

    init(perAccount: Int = APILimits.openBodyBytesPerAccount, onNode: Int = APILimits.openBodyBytes) {
        self.perAccount = perAccount
        self.onNode = onNode
    }

    /// Room for the body of one request, none at first.
    ///
    /// - Parameter own: what was set for the account in place of what holds for all.
    func room(for account: AccountID, own: Int? = nil) -> Room {
        Room(account: account, most: own ?? perAccount, bodies: self)
    }

    /// For tests: octets that are taken.
    var total: Int { state.withLock { $0.total } }

    private func take(_ octets: Int, for account: AccountID, _ most: Int) throws(Problem) {
        let refusal: Problem? = state.withLock { state in
            guard state.byAccount[account, default: 0] + octets <= most else { return .tooManyBodyBytes }
            guard state.total + octets <= onNode else { return .bodiesFull }
            state.byAccount[account, default: 0] += octets
            state.total += octets
            return nil
        }
        if let refusal { throw refusal }
    }

    private func giveBack(_ octets: Int, of account: AccountID) {
        guard octets > 0 else { return }
        state.withLock { state in
            let left = state.byAccount[account, default: 0] - octets
            state.byAccount[account] = left > 0 ? left : nil
            state.total -= octets
        }
    }

    /// What one request has taken. It is free again when the object is gone, however the request ended.
    final class Room: Sendable {
        private let account: AccountID
        private let most: Int
        private let bodies: OpenBodies
        private let taken = Mutex(0)

        fileprivate init(account: AccountID, most: Int, bodies: OpenBodies) {
            self.account = account
            self.most = most
            self.bodies = bodies
        }

        /// Takes what a body of so many octets needs and is not taken yet. By one task at a time.
        ///
        /// - Throws: ``Problem`` where the account or the node has no more.
        func grow(to octets: Int) throws(Problem) {
            let more = max(0, octets - APILimits.freeBodyBytes) - taken.withLock { $0 }
            guard more > 0 else { return }
            try bodies.take(more, for: account, most)
            taken.withLock { $0 += more }
        }

        deinit { bodies.giveBack(taken.withLock { $0 }, of: account) }
    }
}
