import Postgres

/// What an error says of the journal groups that were to be committed.
package enum JournalFailure: Sendable, Hashable {
    /// The database takes nothing for now: say it cannot be reached, or has no room.
    case passing
    /// It refused one of the groups, and may take the others; perhaps this one too, later.
    case ofOneGroup
    /// It refused one of the groups and always will: what is stored of it is wrong, or its campaign's key.
    case ofItsData

    package init(_ error: any Error) {
        switch error {
        case let error as PostgresError:
            self = error.isOfData ? .ofItsData : error.isOfStatement ? .ofOneGroup : .passing
        case is CancellationError: self = .passing
        default: self = .ofItsData
        }
    }
}
