/// What a worker may do with a batch it claimed.
package enum BatchStanding: Sendable, Hashable {
    case held(Held)
    /// The lease ran out or went to another worker. Nothing was changed.
    case lost

    /// The raw values are those of ``BatchState``.
    package enum Held: Int16, Sendable, Hashable {
        /// Mail may be sent.
        case open = 1
        /// No new mail: let what is under way end, then park.
        case paused = 2
        /// No new mail: let what is under way end, then settle.
        case cancelling = 4
    }
}
