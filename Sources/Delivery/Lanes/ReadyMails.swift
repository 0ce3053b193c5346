import TrafficShaping

/// A lane's mails that are ready before a connection is free for them. The connection that is free first takes the one that
/// has waited longest, so that none stays behind a server that hangs. One may be announced over a connection while the server
/// still decides on the mail before it: then it is that connection's, as long as it is fresh.
struct ReadyMails {
    private var mails: [ReadyMail] = []
    private var announced: [ReadyMail] = []
    private var preparing = 0

    /// All of them, those that are being made ready included.
    var count: Int { mails.count + announced.count + preparing }

    /// Those that are ready and wait for a connection.
    var waitingCount: Int { mails.count }

    /// Whether one more may be made ready: those that are wait a moment only, and there are no more than a few for each
    /// connection. They come by the group, each of which takes two commits' time, in which a quick connection carries several.
    func hasRoom(for connections: Int, at now: SteadySeconds) -> Bool {
        waitingCount + preparing < Self.mostForEach * connections
            && (mails.first.map { $0.age(at: now) < Self.waitSeconds } ?? true)
    }

    private static let mostForEach = 5
    private static let waitSeconds = 0.03

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

    mutating func announceFirst() -> ReadyMail {
        let mail = mails.removeFirst()
        announced.append(mail)
        return mail
    }

    /// - Returns: false where it is not among them any more.
    mutating func removeAnnounced(_ mail: ReadyMail) -> Bool {
        guard let index = announced.firstIndex(where: { $0 === mail }) else { return false }
        announced.remove(at: index)
        return true
    }

    /// Those that have waited longest, as long as they are like this.
    mutating func removeFirst(while isLike: (ReadyMail) -> Bool) -> [ReadyMail] {
        Self.removeFirst(of: &mails, while: isLike)
    }

    /// The same of those that servers were told of.
    mutating func removeFirstAnnounced(while isLike: (ReadyMail) -> Bool) -> [ReadyMail] {
        Self.removeFirst(of: &announced, while: isLike)
    }

    private static func removeFirst(of mails: inout [ReadyMail], while isLike: (ReadyMail) -> Bool) -> [ReadyMail] {
        guard let first = mails.first, isLike(first) else { return [] }
        let removed = Array(mails.prefix(while: isLike))
        mails.removeFirst(removed.count)
        return removed
    }
}
