import TrafficShaping

/// A lane's mails that are ready before a connection is free for them. The connection that is free first takes the one that
/// has waited longest, so that none stays behind a server that hangs.
struct ReadyMails {
    private var mails: [ReadyMail] = []
    private var preparing = 0

    /// Those that are being made ready included.
    var count: Int { mails.count + preparing }

    /// One more is being made ready; ``end(with:)`` follows.
    mutating func begin() { preparing += 1 }

    /// - Parameter mail: nil where it came to another end.
    mutating func end(with mail: ReadyMail?) {
        preparing -= 1
        if let mail { mails.append(mail) }
    }

    /// The next one to go.
    var first: ReadyMail? { mails.first }

    mutating func removeFirst() -> ReadyMail { mails.removeFirst() }

    /// Those that have waited longest, as long as they are like this.
    mutating func removeFirst(while isLike: (ReadyMail) -> Bool) -> [ReadyMail] {
        let removed = Array(mails.prefix(while: isLike))
        mails.removeFirst(removed.count)
        return removed
    }
}
