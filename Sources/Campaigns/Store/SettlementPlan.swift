import MailTypes

/// Decides what settling a batch writes, from the batch's row, its records, its journal and what the worker brought.
///
/// The journal is what counted when it was committed, so a settlement must say the same of each recipient: all of
/// them, none twice. Anything else is our bug and is refused before credits move.
struct SettlementPlan: Sendable, Hashable {
    /// The batch's row, locked.
    struct Row: Sendable, Hashable {
        var state: BatchState
        var recipients: Int32
        var finished: Int32
        var delivered: Int32
        var deferred: Int32
        var attempt: Int32
    }

    /// One for each recipient that does not go on to a retry batch.
    let results: [RecipientResult]
    /// One for each recipient of the retry batch: its last reply.
    let deferredReplies: [RecipientResult]
    let charged: Int32
    /// Recipients that end unfinished: as the caller says, and those whose mail may have arrived.
    let newlyEnded: Int32
    let newlyInDoubt: Int32
    /// Those recipients.
    let ended: [RecipientResult]

    /// - Parameters:
    ///   - indices: of the batch's records.
    ///   - doubted: those that were in doubt before this batch.
    ///   - unfinished: what becomes of those without an outcome, where the batch is ended before they have one; nil where
    ///     each must have an outcome or a retry.
    init(
        row: Row, indices: [Int32], progress: [Int32: RecipientProgress], claimed: [RecipientResult],
        deferred: [Int32], doubted: Set<Int32> = [], unfinished: Outcome? = nil
    ) throws(CampaignError) {
        let final = Self.finals(indices, progress)
        try Self.require(
            final.count == row.finished && final.count { $0.outcome == .delivered } == row.delivered,
            "the journal and the batch's counters differ")
        let told = Dictionary(claimed.map { ($0.index, $0.outcome) }, uniquingKeysWith: { first, _ in first })
        try Self.require(
            told.count == claimed.count && told.count == final.count
                && final.allSatisfy { told[$0.index] == .some($0.outcome) },
            "the results are not those of the journal")
        charged = row.delivered
        func marked(_ results: [RecipientResult]) -> [RecipientResult] {
            results.map { result in
                var result = result
                result.wasInDoubt = result.wasInDoubt || doubted.contains(result.index)
                return result
            }
        }
        if let unfinished {
            let rest = Self.ended(indices, progress, as: unfinished)
            results = marked(final + rest)
            ended = rest
            deferredReplies = []
            newlyInDoubt = Int32(rest.count { $0.outcome == .inDoubt })
            newlyEnded = Int32(rest.count) - newlyInDoubt
        } else {
            let replies = Self.deferred(indices, progress)
            try Self.require(
                replies.count == row.deferred && final.count + replies.count == indices.count
                    && indices.count == row.recipients,
                "recipients without an outcome are left")
            try Self.require(
                deferred.count == replies.count && Set(deferred) == Set(replies.map(\.index)),
                "the deferred recipients are not those of the journal")
            results = marked(final)
            ended = []
            deferredReplies = marked(replies)
            newlyInDoubt = 0
            newlyEnded = 0
        }
    }

    /// The recipients with a final outcome.
    private static func finals(_ indices: [Int32], _ progress: [Int32: RecipientProgress]) -> [RecipientResult] {
        indices.compactMap { index in
            if case .finished(let result) = progress[index] { result } else { nil }
        }
    }

    private static func deferred(_ indices: [Int32], _ progress: [Int32: RecipientProgress]) -> [RecipientResult] {
        indices.compactMap { index in
            if case .deferred(let result) = progress[index] { result } else { nil }
        }
    }

    /// What becomes of the unfinished recipients of a batch that is ended: in doubt where a mail was about to be sent and
    /// nothing tells whether it was.
    private static func ended(
        _ indices: [Int32], _ progress: [Int32: RecipientProgress], as outcome: Outcome
    ) -> [RecipientResult] {
        indices.compactMap { index in
            switch progress[index] {
            case .finished: nil
            case .intended: RecipientResult(index: index, outcome: .inDoubt)
            case .deferred(let result): RecipientResult(index: index, outcome: outcome, reply: result.reply)
            case nil: RecipientResult(index: index, outcome: outcome)
            }
        }
    }

    private static func require(_ condition: Bool, _ detail: String) throws(CampaignError) {
        guard condition else { throw CampaignError(.settlementMismatch, detail) }
    }
}
