import MailTypes
import Synchronization

/// Bounds long requests that hold something scarce while they last, such as memory: so many at a time for each account
/// and for the node. Where more than half of the node's are taken an account gets one, so that a few accounts cannot take
/// them all.
final class OpenPlaces: Sendable {
    private struct State {
        var byAccount: [AccountID: Int] = [:]
        var total = 0
    }

    private let state = Mutex(State())
    private let perAccount: Int
    private let onNode: Int

    init(perAccount: Int, onNode: Int = .max) {
        self.perAccount = perAccount
        self.onNode = onNode
    }

    /// - Parameter own: what was set for the account in place of what holds for all.
    /// - Returns: nil where the account or the node has all its places in use. The place is free again when the object
    ///   is gone, however the request ended.
    func place(for account: AccountID, own: Int? = nil) -> Place? {
        let most = own ?? perAccount
        let isFree = state.withLock { state in
            let bound = state.total < onNode / 2 ? most : min(most, 1)
            guard state.total < onNode, state.byAccount[account, default: 0] < bound else { return false }
            state.byAccount[account, default: 0] += 1
            state.total += 1
            return true
        }
        return isFree ? Place(account: account, places: self) : nil
    }

    final class Place: Sendable {
        private let account: AccountID
        private let places: OpenPlaces

        fileprivate init(account: AccountID, places: OpenPlaces) {
            self.account = account
            self.places = places
        }

        deinit {
            places.state.withLock { state in
                let left = state.byAccount[account, default: 0] - 1
                state.byAccount[account] = left > 0 ? left : nil
                state.total -= 1
            }
        }
    }
}
