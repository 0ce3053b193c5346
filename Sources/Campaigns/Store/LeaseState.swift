/// What became of a journal group, and what its worker's claim of the batch is worth.
package enum LeaseState: Sendable, Hashable {
    /// The group is committed.
    case applied(Work)
    /// It was committed before, or has no entries.
    case repeated(Work)
    /// The lease has run out, and the group begins mails; nobody has claimed the batch since. Nothing was changed: append
    /// it without its intents.
    case overdue(Work)
    /// Somebody else holds the row of the batch or its campaign. Nothing was changed: append it again.
    case locked
    /// The batch was claimed by another worker, given back or ended. Nothing was changed.
    case lost

    /// What the worker may do. The raw values are those of ``BatchState``.
    package enum Work: Int16, Sendable, Hashable {
        /// Mail may be sent.
        case open = 1
        /// No new mail: let what is under way end, then park.
        case paused = 2
        /// No new mail: let what is under way end, then settle.
        case cancelling = 4
    }

    init(_ answer: String, _ standing: Int16?) throws(CampaignError) {
        let work = standing.flatMap(Work.init(rawValue:))
        switch (answer, work) {
        case ("applied", let work?): self = .applied(work)
        case ("repeated", let work?): self = .repeated(work)
        case ("overdue", let work?): self = .overdue(work)
        case ("locked", _?): self = .locked
        case ("lost", nil): self = .lost
        default: throw OctetReader.malformed
        }
    }

    /// Nil where the group was not committed.
    package var committed: Work? {
        switch self {
        case .applied(let work), .repeated(let work): work
        case .overdue, .locked, .lost: nil
        }
    }
}
