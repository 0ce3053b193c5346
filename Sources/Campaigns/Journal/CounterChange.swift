import MailTypes

/// How a journal group moves the counters of its batch and campaign.
struct CounterChange: Sendable, Hashable {
    /// New final outcomes, by ``Outcome``.
    private(set) var outcomes: [Outcome: Int32] = [:]
    private(set) var deferred: Int32 = 0
    private(set) var inDoubtResent: Int32 = 0

    init(_ entries: some Sequence<JournalEntry>) {
        for entry in entries {
            switch entry.kind {
            case .intent, .withdrawn: break
            case .outcome(let outcome):
                outcomes[outcome, default: 0] += 1
                if entry.wasDeferred { deferred -= 1 }
            case .deferred:
                if !entry.wasDeferred { deferred += 1 }
            case .inDoubtResend: inDoubtResent += 1
            }
        }
    }

    /// Whether it changes anything.
    var movesCounters: Bool { !outcomes.isEmpty || deferred != 0 || inDoubtResent != 0 }

    subscript(outcome: Outcome) -> Int32 { outcomes[outcome] ?? 0 }
}
