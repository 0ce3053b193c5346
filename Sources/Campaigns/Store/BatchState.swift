/// Where a batch stands. The raw values are stored; never renumber them.
enum BatchState: Int16, Sendable, Hashable {
    /// Its campaign is a draft.
    case draft = 0
    /// Can be claimed once due, or is at work.
    case open = 1
    /// Its campaign is paused. A worker that has it lets the mails under way end, then gives it back.
    case paused = 2
    /// A worker settled it.
    case settled = 3
    /// Its campaign was cancelled while a worker had it. Whoever has or claims it settles it without sending more.
    case cancelling = 4
    /// Its campaign was cancelled while no worker had it.
    case cancelled = 5
}
