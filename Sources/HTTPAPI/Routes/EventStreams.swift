import MailTypes
import Synchronization

/// Counts the event streams that are open, because each asks the database twice a second.
final class EventStreams: Sendable {
    private let open = Mutex<[AccountID: Int]>([:])

    /// - Returns: nil where the account has ``APILimits/eventStreamsPerAccount`` already. The place is free again when
    ///   the object is gone, however the stream ended.
    func place(for account: AccountID) -> Place? {
        let isFree = open.withLock { open in
            guard open[account, default: 0] < APILimits.eventStreamsPerAccount else { return false }
            open[account, default: 0] += 1
            return true
        }
        return isFree ? Place(account: account, streams: self) : nil
    }

    final class Place: Sendable {
        private let account: AccountID
        private let streams: EventStreams

        fileprivate init(account: AccountID, streams: EventStreams) {
            self.account = account
            self.streams = streams
        }

        deinit {
            streams.open.withLock { open in
                let left = open[account, default: 0] - 1
                open[account] = left > 0 ? left : nil
            }
        }
    }
}
