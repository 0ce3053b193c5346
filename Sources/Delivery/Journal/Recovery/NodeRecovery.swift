import Campaigns
import Logging
import MailTypes
import Vault

/// Begins a node's incarnation: takes its name, and journals what an earlier one left in the node's own files before the
/// batches of that one can be claimed again.
///
/// What is taken up: answers that were not committed any more, and that intents without a mark were never sent. Only of
/// batches that nobody has claimed since, and only of recipients whose intent is open: anything else is known already, or
/// another's.
struct NodeRecovery {
    let node: String
    /// That its mail leaves from, for advice on DNS.
    var sources: [IPAddress] = []
    let store: DeliveryStore
    let vault: Vault
    let logger: Logger

    /// - Parameter local: the node's own files; nil where it keeps none.
    /// - Throws: ``NodeError/alreadyRunning`` while another process holds the name; then, and after any other error, it is
    ///   as if nothing had begun.
    func begin(_ local: LocalJournal?) async throws {
        try await store.register(node: node)
        do {
            if let local { try await takeUp(local) }
            let incarnation = try await store.beginIncarnation(of: node, sources: sources)
            // Last: until here the files prove what the database names.
            local?.begin(incarnation)
        } catch {
            await store.unregister(node: node)
            throw error
        }
    }

    private func takeUp(_ local: LocalJournal) async throws {
        let held = try await store.adoptLeases(of: node)
        guard !held.isEmpty else { return }
        let marks = try await store.lastIncarnation(of: node).flatMap { try? local.marks.marks(of: $0) }
        let found = Dictionary(grouping: try local.records()) { $0.batch }
        var groups: [JournalGroup] = []
        var (answered, withdrawn) = (0, 0)
        for (batch, epoch) in held {
            do {
                let known = try await known(of: batch, epoch, from: found[batch] ?? [], marks)
                answered += known.answers.count
                withdrawn += known.neverSent.count
                let entries = known.answers + known.neverSent.map { JournalEntry(index: $0, kind: .withdrawn) }
                if !entries.isEmpty { groups.append(JournalGroup(batch: batch, epoch: epoch, entries: entries)) }
            } catch let error where error is VaultError || error is CampaignError {
                // One batch that nobody can open must not keep the node from its other work.
                logger.error("batch not taken up", metadata: ["batch": "\(batch)", "error": "\(error)"])
            }
        }
        if !groups.isEmpty { _ = try await store.append(node: node, groups) }
        logger.notice(
            "work of an earlier incarnation taken up",
            metadata: [
                "batches": "\(held.count)", "answers": "\(answered)", "never_sent": "\(withdrawn)",
                "marks": "\(marks == nil ? "missing" : "whole")",
            ])
    }

    /// What the node's files tell of the open intents of a batch.
    ///
    /// - Parameter marks: nil where some may be missing.
    private func known(
        of batch: BatchID, _ epoch: Int64, from found: [LocalJournal.Record], _ marks: Set<FinalDotMarks.Mark>?
    ) async throws -> (answers: [JournalEntry], neverSent: [Int32]) {
        var open = try await store.openIntents(of: batch)
        guard !open.isEmpty else { return ([], []) }
        let key = try await vault.campaignKey(batch.account, batch.campaign)
        let answers = found.filter { $0.epoch == epoch }.flatMap { (try? $0.entries(key)) ?? [] }
            .filter { open[$0.index] != nil }
        for answer in answers { open[answer.index] = nil }
        guard let marks else { return (answers, []) }
        // Of this claim alone: of an earlier one's intents the node that had it knows more.
        let neverSent = open.filter { index, claim in
            claim == epoch && !marks.contains(.init(batch: batch, epoch: epoch, index: index))
        }
        return (answers, Array(neverSent.keys))
    }
}
