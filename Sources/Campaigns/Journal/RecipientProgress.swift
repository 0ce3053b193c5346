/// What the journal knows of a recipient of a claimed batch. No entry: nothing happened yet.
package enum RecipientProgress: Sendable, Hashable {
    case finished(RecipientResult)
    /// Refused for now; counted as deferred.
    case deferred(RecipientResult)
    /// An earlier worker was about to send, and nothing tells what came of it: in doubt. The new worker journals
    /// ``JournalEntry/Kind/inDoubtResend`` and sends again, or the outcome ``Outcome/inDoubt``.
    case intended

    /// Replays entries in their order of commit.
    static func replay(_ entries: some Sequence<JournalEntry>) -> [Int32: RecipientProgress] {
        var states: [Int32: ReplayState] = [:]
        for entry in entries { states[entry.index, default: ReplayState()].apply(entry) }
        return states.compactMapValues(\.progress)
    }

    /// How often each recipient's mail was to be sent again because an answer was lost.
    static func resends(_ entries: some Sequence<JournalEntry>) -> [Int32: Int] {
        var resends: [Int32: Int] = [:]
        for entry in entries where entry.kind == .inDoubtResend { resends[entry.index, default: 0] += 1 }
        return resends
    }

    private struct ReplayState {
        var final: RecipientResult?
        var deferred: RecipientResult?
        var isIntended = false
        var wasInDoubt = false

        mutating func apply(_ entry: JournalEntry) {
            switch entry.kind {
            case .intent: isIntended = true
            case .withdrawn: isIntended = false
            case .inDoubtResend: (isIntended, wasInDoubt) = (false, true)
            case .outcome(let outcome):
                isIntended = false
                final = RecipientResult(index: entry.index, outcome: outcome, reply: entry.reply)
                final?.finding = entry.finding
            case .deferred:
                isIntended = false
                deferred = RecipientResult(index: entry.index, outcome: nil, reply: entry.reply)
            }
        }

        var progress: RecipientProgress? {
            func marked(_ result: RecipientResult) -> RecipientResult {
                var result = result
                result.wasInDoubt = wasInDoubt
                return result
            }
            if let final { return .finished(marked(final)) }
            if isIntended { return .intended }
            return deferred.map { .deferred(marked($0)) }
        }
    }
}
