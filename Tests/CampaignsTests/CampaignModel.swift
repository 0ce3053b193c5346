import Campaigns
import MailTypes

/// A second, simple account of what campaigns must be: one fate a recipient, batches as lists of recipients. It knows
/// nothing of SQL, counters or credits; those are derived from the fates.
struct CampaignModel {
    struct Recipient {
        var fate: RecipientFate = .pending
        /// On the suppression list at the import.
        var isSuppressed = false
    }

    struct Batch {
        var members: [Int32]
        /// Members with an outcome, a deferral or an open intent, as a new worker must find them.
        var journal: [Int32: Step] = [:]
        var epoch: Int64 = 0
        var lease: String?
        var isDone = false
        /// Delivered mail is charged when the batch is settled.
        var charged = 0
    }

    enum Step: Equatable {
        case intended
        case deferred
        case final(Outcome)
    }

    var state: CampaignState = .draft
    let inDoubt: InDoubtPolicy
    let batchSize: Int
    var recipients: [Recipient] = []
    var batches: [Int32: Batch] = [:]
    var inDoubtResent = 0
    var isPurged = false
    /// Of their journal nothing more can be stored.
    var poisoned: Set<Int32> = []

    init(inDoubt: InDoubtPolicy, batchSize: Int) {
        self.inDoubt = inDoubt
        self.batchSize = batchSize
    }

    // MARK: What follows from the fates

    func count(_ fate: RecipientFate) -> Int { recipients.count { $0.fate == fate } }

    var counters: CampaignCounters {
        var counters = CampaignCounters()
        counters.recipients = recipients.count
        counters.delivered = count(.final(.delivered))
        counters.bounced = count(.final(.bounced))
        counters.expired = count(.final(.expired))
        counters.suppressed = count(.final(.suppressed))
        counters.invalid = count(.final(.invalid))
        counters.cancelled = count(.final(.cancelled))
        counters.inDoubt = count(.final(.inDoubt))
        counters.deferred = count(.deferred)
        counters.inDoubtResent = inDoubtResent
        return counters
    }

    var reserved: Int { state == .draft ? 0 : recipients.count { !$0.isSuppressed } }
    var openBatches: [Int32] { batches.filter { !$0.value.isDone }.keys.sorted() }
    var held: Int { wasSent ? openBatches.reduce(0) { $0 + (batches[$1]?.members.count ?? 0) } : 0 }
    var charged: Int { batches.values.reduce(0) { $0 + $1.charged } }
    var wasSent = false
    var isFinishing: Bool { openBatches.isEmpty && state != .draft && state != .paused && !isPurged }
    var claimable: [Int32] {
        guard state != .paused, state != .draft else { return [] }
        return openBatches.filter { batches[$0]?.lease == nil }
    }

    // MARK: Events

    /// New recipients fill new batches, each upload its own.
    mutating func add(_ suppressed: [Bool]) {
        var start = Int32(recipients.count)
        recipients += suppressed.map { Recipient(isSuppressed: $0) }
        while start < Int32(recipients.count) {
            let end = min(start + Int32(batchSize), Int32(recipients.count))
            let members = (start..<end).filter { !recipients[Int($0)].isSuppressed }
            let next = Int32(batches.count) + 1
            batches[next] = Batch(members: members)
            start = end
        }
    }

    mutating func send() {
        state = .queued
        wasSent = true
        for index in recipients.indices where recipients[index].isSuppressed {
            recipients[index].fate = .final(.suppressed)
        }
        for number in batches.keys where batches[number]?.members.isEmpty == true { batches[number]?.isDone = true }
    }

    mutating func cancel() {
        let wasDraft = state == .draft
        state = .cancelled
        for index in recipients.indices where wasDraft && recipients[index].isSuppressed {
            recipients[index].fate = .final(.suppressed)
        }
        for number in openBatches where batches[number]?.lease == nil { endCancelled(number) }
    }

    /// Ends a batch as it stands: of a cancelled campaign, or one of which no mail can be made.
    mutating func endCancelled(_ number: Int32) {
        guard var batch = batches[number] else { return }
        for index in batch.members {
            switch batch.journal[index] {
            case .final: break
            case .intended: recipients[Int(index)].fate = .final(.inDoubt)
            case .deferred, nil: recipients[Int(index)].fate = .final(.cancelled)
            }
        }
        batch.charged = batch.members.count { recipients[Int($0)].fate == .final(.delivered) }
        batch.isDone = true
        batch.lease = nil
        batches[number] = batch
    }

    mutating func apply(_ entry: JournalEntry, to number: Int32) {
        let index = Int(entry.index)
        switch entry.kind {
        case .intent: batches[number]?.journal[entry.index] = .intended
        case .withdrawn: batches[number]?.journal[entry.index] = nil
        case .inDoubtResend:
            batches[number]?.journal[entry.index] = nil
            inDoubtResent += 1
        case .deferred:
            batches[number]?.journal[entry.index] = .deferred
            recipients[index].fate = .deferred
        case .outcome(let outcome):
            batches[number]?.journal[entry.index] = .final(outcome)
            recipients[index].fate = .final(outcome)
        }
    }

    /// Whether every member of the batch has an answer.
    func isAnswered(_ number: Int32) -> Bool {
        guard let batch = batches[number] else { return false }
        return batch.members.allSatisfy { index in
            switch batch.journal[index] {
            case .final, .deferred: true
            case .intended, nil: false
            }
        }
    }

    func finals(_ number: Int32) -> [RecipientResult] {
        (batches[number]?.members ?? []).compactMap { index in
            if case .final(let outcome) = batches[number]?.journal[index] {
                RecipientResult(index: index, outcome: outcome)
            } else {
                nil
            }
        }
    }

    func deferredMembers(_ number: Int32) -> [Int32] {
        (batches[number]?.members ?? []).filter { batches[number]?.journal[$0] == .deferred }
    }

    /// Settles members that are done as a batch of their own; the others stay.
    mutating func settlePart(_ done: [Int32], of number: Int32) {
        guard let batch = batches[number] else { return }
        let part = Int32(batches.count) + 1
        batches[part] = Batch(members: done, journal: batch.journal)
        batches[number]?.members.removeAll(where: done.contains)
        if state == .cancelled { return endCancelled(part) }
        batches[part]?.isDone = true
        batches[part]?.charged = done.count { recipients[Int($0)].fate == .final(.delivered) }
        let retried = done.filter { batch.journal[$0] == .deferred }
        if !retried.isEmpty { batches[part + 1] = Batch(members: retried) }
    }

    mutating func settle(_ number: Int32) {
        if state == .cancelled { return endCancelled(number) }
        let retried = deferredMembers(number)
        let delivered = finals(number).count { $0.outcome == .delivered }
        batches[number]?.isDone = true
        batches[number]?.lease = nil
        batches[number]?.charged = delivered
        let next = Int32(batches.count) + 1
        if !retried.isEmpty { batches[next] = Batch(members: retried) }
    }
}
