/// What the owner of a ``LaneMachine`` does after an event, once it has left its lock.
package struct LaneActions<Mail: LaneMail>: Sendable {
    /// So many workers begin, each with ``LaneMachine/workerAsks(retires:at:)``. They are counted already.
    package var startWorkers = 0
    /// ``LaneMachine/woke(at:)`` is due then.
    package var wakeAt: SteadySeconds?
    /// Offered to other lanes; ``LaneMachine/declined(_:opensElsewhere:at:)`` follows with those that none takes.
    package var handOver: [Mail] = []
    /// Goes back to the store.
    package var giveBack: [GivenBackMail<Mail>] = []
    /// Ends as bounced: the operator wants no more of it.
    package var end: [Mail] = []
    /// A login that has begun to fail, for operators.
    package var loginProblem: String?
    /// The lane has begun to rest: ``LaneMachine/tick(mayHandOver:opensElsewhere:at:mayStart:)`` follows at once.
    package var tickNow = false

    package init() {}
}

/// A mail that a lane cannot take or keep.
package struct GivenBackMail<Mail: LaneMail>: Sendable {
    package let mail: Mail
    /// When it is to come again.
    package let inSeconds: Double
    /// The lane stands still: a resume brings the mail back at once.
    package let awaitsResume: Bool

    package init(_ mail: Mail, inSeconds: Double, awaitsResume: Bool = false) {
        self.mail = mail
        self.inSeconds = inSeconds
        self.awaitsResume = awaitsResume
    }
}

/// What a worker does next.
package enum LaneTurn<Mail: LaneMail>: Sendable {
    /// Carry the mail, then tell ``LaneMachine/answered(_:at:)``.
    case mail(Mail)
    /// No mail may go now.
    ///
    /// - Parameter wakeAt: ``LaneMachine/woke(at:)`` is due then; nil where nothing changed.
    case retire(wakeAt: SteadySeconds?)
}

extension LaneActions: Equatable where Mail: Equatable {}
extension GivenBackMail: Equatable where Mail: Equatable {}
extension LaneTurn: Equatable where Mail: Equatable {}
