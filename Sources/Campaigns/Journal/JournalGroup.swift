package import MailTypes
import Synchronization

/// Entries of one batch, committed together.
///
/// Groups are numbered as they are made. A batch remembers the number of the last one applied, so a group may be
/// appended again after a lost connection without counting twice. In return the groups of a batch must be appended in
/// the order in which they were made, the next one after the answer to the one before.
package struct JournalGroup: Sendable, Hashable {
    package let batch: BatchID
    package let epoch: Int64
    package let entries: [JournalEntry]
    let number: Int64

    /// Whether mails are sent once it is committed.
    var beginsMail: Bool { entries.contains { $0.kind == .intent } }

    package init(batch: BatchID, epoch: Int64, entries: [JournalEntry]) {
        self.batch = batch
        self.epoch = epoch
        self.entries = entries
        number = Self.lastNumber.wrappingAdd(1, ordering: .relaxed).newValue
    }

    /// Of this process. Enough, because a claim by another process starts a new epoch, which forgets the last number.
    private static let lastNumber = Atomic<Int64>(0)
}
