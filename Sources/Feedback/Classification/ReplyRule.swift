/// One row of the table: all conditions that are given must hold.
struct ReplyRule: Sendable {
    enum Severity: Sendable {
        case temporary
        case permanent
    }

    /// An enhanced code without its class, such as `x.1.1`.
    struct Status: Sendable, Hashable {
        let subject: UInt16
        let detail: ClosedRange<UInt16>

        /// All details of a subject.
        init(_ subject: UInt16) { self.init(subject, 0...999) }

        init(_ subject: UInt16, _ detail: UInt16) { self.init(subject, detail...detail) }

        init(_ subject: UInt16, _ detail: ClosedRange<UInt16>) {
            self.subject = subject
            self.detail = detail
        }
    }

    let replyClass: ReplyClass
    /// One of these phrases occurs.
    var phrases: [String] = []
    /// And one of these.
    var and: [String] = []
    /// And none of these.
    var unless: [String] = []
    var severity: Severity?
    /// The reply code is one of these.
    var codes: Set<Int> = []
    /// The enhanced code is one of these.
    var statuses: [Status] = []

    init(
        _ replyClass: ReplyClass, _ phrases: [String] = [], and: [String] = [], unless: [String] = [],
        severity: Severity? = nil, codes: Set<Int> = [], statuses: [Status] = []
    ) {
        self.replyClass = replyClass
        self.phrases = phrases
        self.and = and
        self.unless = unless
        self.severity = severity
        self.codes = codes
        self.statuses = statuses
    }
}
