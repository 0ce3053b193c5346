/// What becomes of a mail for which no connection came about.
package enum UnreachedMail: Sendable, Hashable {
    /// The attempt has failed, and counts.
    case fails
    /// It takes the new way to connect, which has changed since.
    case triesAgain
    /// The login is refused, which is not the mail's fault: another lane takes it, or it waits untried.
    case waitsForLogin
    /// Other lanes may take it; where none does the attempt has failed.
    case isOffered

    /// - Parameters:
    ///   - answer: what the lane learns of the site.
    ///   - mayGoElsewhere: the site is a smarthost beside which there are other lanes.
    ///   - mayStart: the mail may still be sent.
    ///   - isCurrentWay: the connection was tried in the way that is the lane's at present.
    package init(_ answer: LaneAnswer, mayGoElsewhere: Bool, mayStart: Bool, isCurrentWay: Bool) {
        switch answer {
        case .stopped: self = .fails
        case _ where !mayGoElsewhere || !mayStart: self = .fails
        case _ where !isCurrentWay: self = .triesAgain
        case .notLoggedIn: self = .waitsForLogin
        default: self = .isOffered
        }
    }
}
