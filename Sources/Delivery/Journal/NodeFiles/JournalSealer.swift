import Campaigns
import MailTypes
import Vault

/// Prepares the answers of one campaign for the node's own files.
struct JournalSealer: Sendable {
    let key: SealingKey

    /// Seals what may be personal: replies quote addresses. Most answers say that a mail was taken. Those are written open,
    /// as numbers and without the words of the reply, because to seal each by itself costs more than to write it.
    func answers(
        _ entries: [JournalEntry], of batch: BatchID, epoch: Int64
    ) throws -> LocalJournal.Answers {
        guard entries.allSatisfy({ $0.kind == .outcome(.delivered) }) else {
            let group = JournalGroup(batch: batch, epoch: epoch, entries: entries)
            return LocalJournal.Answers(octets: try key.sealJournal(group), isSealed: true)
        }
        let wordless = entries.map { entry in
            JournalEntry(
                index: entry.index, kind: entry.kind, replyCode: entry.replyCode, enhanced: entry.enhanced,
                wasDeferred: entry.wasDeferred)
        }
        let group = JournalGroup(batch: batch, epoch: epoch, entries: wordless)
        return LocalJournal.Answers(octets: group.encoded(), isSealed: false)
    }
}
