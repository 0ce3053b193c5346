/// What a worker's claim of a batch is worth.
package enum LeaseState: Sendable, Hashable {
    case leased(Work)
    /// The lease ran out or went to another worker. Nothing was changed.
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
}
