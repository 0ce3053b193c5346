/// What the owner of a ``LaneMachine`` does after an event, once it has left its lock.
public struct LaneActions<Mail: LaneMail>: Sendable {
    /// So many workers begin, each with ``LaneMachine/workerAsks(retires:at:)``. They are counted already.
    @usableFromInline package var startWorkers = 0
    /// ``LaneMachine/woke(at:)`` is due then.
    @usableFromInline package var wakeAt: SteadySeconds?
    /// Offered to other lanes; ``LaneMachine/declined(_:opensElsewhere:at:)`` follows with those that none takes.
    @usableFromInline package var handOver: [Mail] = []
    /// Goes back to the store.
    @usableFromInline package var giveBack: [GivenBackMail<Mail>] = []
    /// Ends as bounced: the operator wants no more of it.
    @usableFromInline package var end: [Mail] = []
    /// A login that has begun to fail, for operators.
    @usableFromInline package var loginProblem: String?
    /// The lane has begun to rest: ``LaneMachine/tick(mayHandOver:opensElsewhere:at:mayStart:)`` follows at once.
    @usableFromInline package var tickNow = false

    @inlinable
    package init() {}
}

/// A mail that a lane cannot take or keep.
public struct GivenBackMail<Mail: LaneMail>: Sendable {
    @usableFromInline package let mail: Mail
    /// When it is to come again.
    @usableFromInline package let inSeconds: Double
    /// The lane stands still: a resume brings the mail back at once.
    @usableFromInline package let awaitsResume: Bool

    @inlinable
    package init(_ mail: Mail, inSeconds: Double, awaitsResume: Bool = false) {
        self.mail = mail
        self.inSeconds = inSeconds
        self.awaitsResume = awaitsResume
    }
}

/// What a worker does next.
public enum LaneTurn<Mail: LaneMail>: Sendable {
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
