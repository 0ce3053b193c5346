import Campaigns
import Logging
import MailTypes

/// What is stored of a batch or its campaign takes no journal group: its run is given up.
struct JournalRefused: Error, CustomStringConvertible {
    let reason: String
    var description: String { "the journal cannot be stored: \(reason)" }
}

/// Commits the entries of many runs, so that nobody's trouble is another's: all in one statement, and one by one where that
/// is refused.
struct JournalCommits: Sendable {
    /// What became of a run's entries.
    enum Verdict: Sendable {
        case committed(LeaseState.Work)
        /// Not yet: somebody has locked the campaign or the batch, or (suspect) its group made the statement fail.
        case held(isSuspect: Bool)
        /// The lease has run out, so no mail may begin; what has ended can be committed.
        case overdue
        /// They can never be stored.
        case refused(JournalRefused)
        case lost
    }

    let store: DeliveryStore
    let node: String
    let deadAfter: Int
    let metrics: DeliveryMetrics
    let clock: DeliveryClock
    let logger: Logger

    /// Tries until the database has answered, or the task is cancelled (then nil): an outcome that is known must not be
    /// lost.
    ///
    /// - Parameters:
    ///   - pending: at most one of a batch.
    ///   - impatient: batches whose campaign is not waited for at all, because it was in vain before.
    func commit(
        _ pending: [PendingEntries], impatient: Set<BatchID> = []
    ) async -> [ObjectIdentifier: Verdict]? {
        let suspects = pending.filter { $0.hold?.isSuspect ?? false }
        let others = pending.filter { !($0.hold?.isSuspect ?? false) }
        guard var verdicts = await together(others, impatient) else { return nil }
        for suspect in suspects {
            guard let verdict = await together([suspect], impatient) else { return nil }
            verdicts.merge(verdict) { first, _ in first }
        }
        return verdicts
    }

    private func together(
        _ pending: [PendingEntries], _ impatient: Set<BatchID>
    ) async -> [ObjectIdentifier: Verdict]? {
        guard !pending.isEmpty else { return [:] }
        // Made once: after a lost connection it must be the same groups.
        let groups = pending.map {
            JournalGroup(batch: $0.batch, epoch: $0.run.batch.epoch, entries: $0.entries)
        }
        let found = Dictionary(
            uniqueKeysWithValues: pending.filter { !$0.found.isEmpty }.map { ($0.batch, $0.found) })
        let people = Dictionary(
            uniqueKeysWithValues: pending.filter { store.tells($0.batch.account) }.map { ($0.batch, $0.run.lookUp) })
        var pause = Duration.milliseconds(50)
        while !Task.isCancelled {
            do {
                let start = clock.steady()
                let states = try await store.append(
                    node: node, groups, found: found, deadAfter: deadAfter, impatient: impatient, people: people)
                metrics.journalled(
                    groups.filter { states[$0.batch]?.committed != nil }, inSeconds: clock.steady() - start)
                return Dictionary(uniqueKeysWithValues: pending.map { ($0.id, Verdict(states[$0.batch] ?? .lost)) })
            } catch  where JournalFailure(error) != .passing {
                metrics.count(\.journalFailures)
                guard pending.count > 1 else { return [pending[0].id: refusal(of: pending[0], error)] }
                return await oneByOne(pending, impatient)
            } catch {
                metrics.count(\.journalFailures)
                logger.warning("journal not committed, trying again", metadata: ["error": "\(error)"])
                try? await Task.sleep(for: pause)
                pause = min(pause * 2, .seconds(2))
            }
        }
        return nil
    }

    private func oneByOne(
        _ pending: [PendingEntries], _ impatient: Set<BatchID>
    ) async -> [ObjectIdentifier: Verdict]? {
        var verdicts: [ObjectIdentifier: Verdict] = [:]
        for entries in pending {
            guard let verdict = await together([entries], impatient) else { return nil }
            verdicts.merge(verdict) { first, _ in first }
        }
        return verdicts
    }

    private func refusal(of entries: PendingEntries, _ error: any Error) -> Verdict {
        let isForGood = JournalFailure(error) == .ofItsData
        // A hold is told once, not at each attempt.
        if isForGood || entries.hold == nil {
            logger.error(
                isForGood ? "journal group cannot be stored, its batch is given up" : "journal group not stored yet",
                metadata: ["batch": "\(entries.batch)", "error": "\(error)"])
        }
        guard isForGood else { return .held(isSuspect: true) }
        metrics.count(\.journalGroupsRefused)
        return .refused(JournalRefused(reason: "\(error)"))
    }
}

extension JournalCommits.Verdict {
    init(_ state: LeaseState) {
        switch state {
        case .applied(let work), .repeated(let work): self = .committed(work)
        case .overdue: self = .overdue
        case .locked: self = .held(isSuspect: false)
        case .lost: self = .lost
        }
    }
}
