import Campaigns
import Fleet
import Logging
import MailTypes
import Synchronization
import Vault

/// Begins a node's incarnation: takes its name, and journals what an earlier one left in the node's own files before the
/// batches of that one can be claimed again.
///
/// What is taken up: answers that were not committed any more, and that intents without a mark were never sent. Only of
/// batches that nobody has claimed since, and only of recipients whose intent is open: anything else is known already, or
/// another's.
struct NodeRecovery {
    let node: String
    /// As its operator has given them.
    var sources: [NodeSource] = []
    /// That receivers see its mail come from, for advice on DNS.
    var addresses: [IPAddress] = []
    let store: DeliveryStore
    let fleetStore: FleetStore
    let vault: Vault
    let logger: Logger

    /// - Parameter local: the node's own files; nil where it keeps none.
    /// - Throws: ``NodeError/alreadyRunning`` while another process holds the name; then, and after any other error, it is
    ///   as if nothing had begun.
    func begin(_ local: LocalJournal?) async throws {
        try await fleetStore.register(node: node)
        do {
            // The name may be free while a process that had it still ends: the database may have been away.
            try local?.lock()
            if let local { try await takeUp(local) }
            let incarnation = try await store.beginIncarnation(of: node, sources: sources, addresses: addresses)
            // Last: until here the files prove what the database names.
            local?.begin(incarnation)
        } catch {
            await fleetStore.unregister(node: node)
            throw error
        }
    }

    /// What the node's files hold.
    private struct Files {
        let answers: [BatchID: [LocalJournal.Record]]
        /// Nil where some may be missing.
        let marks: Set<FinalDotMarks.Mark>?
    }

    private func takeUp(_ local: LocalJournal) async throws {
        let marks = try await fleetStore.lastIncarnation(of: node).flatMap { try? local.marks.marks(of: $0) }
        let files = Files(answers: Dictionary(grouping: try local.records()) { $0.batch }, marks: marks)
        let end = ContinuousClock.now + Self.patience
        while true {
            let counts = Mutex((answers: 0, neverSent: 0))
            let taken = try await store.takeOver(node: node, mayLeave: ContinuousClock.now >= end) {
                let told = try await known(of: $0, $1, open: $2, in: files)
                counts.withLock { counts in
                    counts.answers += told.answers.count
                    counts.neverSent += told.neverSent.count
                }
                return told.answers + told.neverSent.map { JournalEntry(index: $0, kind: .withdrawn) }
            }
            if let taken { return tell(taken, counts.withLock(\.self), files) }
            // Somebody has locked a campaign, perhaps a statement of the earlier incarnation.
            try await Task.sleep(for: .milliseconds(250))
        }
    }

    /// How long rows that others have locked are waited for.
    private static let patience = Duration.seconds(20)

    private func tell(_ taken: DeliveryStore.TakeOver, _ counts: (answers: Int, neverSent: Int), _ files: Files) {
        for batch in taken.left {
            logger.error(
                "answers of an earlier incarnation not stored: its mails count as in doubt",
                metadata: ["batch": "\(batch)"])
        }
        guard taken.batches > 0 else { return }
        logger.notice(
            "work of an earlier incarnation taken up",
            metadata: [
                "batches": "\(taken.batches)", "answers": "\(counts.answers)", "never_sent": "\(counts.neverSent)",
                "marks": "\(files.marks == nil ? "missing" : "whole")",
            ])
    }

    /// What the node's files tell of the open intents of a batch that it held at `epoch`.
    private func known(
        of batch: BatchID, _ epoch: Int64, open: [Int32: Int64], in files: Files
    ) async throws -> (answers: [JournalEntry], neverSent: [Int32]) {
        var open = open
        let key = try await vault.campaignKey(batch.account, batch.campaign)
        let found = (files.answers[batch] ?? []).filter { $0.epoch == epoch }
        let answers = found.flatMap { (try? $0.entries(key)) ?? [] }.filter { open[$0.index] != nil }
        for answer in answers { open[answer.index] = nil }
        guard let marks = files.marks else { return (answers, []) }
        // Of this claim alone: of an earlier one's intents the node that had it knows more.
        let neverSent = open.filter { index, claim in
            claim == epoch && !marks.contains(.init(batch: batch, epoch: epoch, index: index))
        }
        return (answers, Array(neverSent.keys))
    }
}
