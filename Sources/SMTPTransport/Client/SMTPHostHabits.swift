package import NIOCore
package import SMTPProtocol

/// What hosts of a destination offer and do not bear, remembered for a while: a decision without I/O.
///
/// - A host whose TLS breaks is spoken to without, where its policy takes TLS for a bonus.
/// - An extension that broke a session counts as not offered. Two hosts that lose what is pipelined are enough to take a
///   box in front of all of them for the cause.
/// - Where a connection broke or fell silent with a transaction announced, none is announced any more. It may have been chance,
///   but the mail before is in doubt.
package struct SMTPHostHabits: Sendable {
    private let lifetime: Duration
    private var brokenTLS: [SMTPEndpoint: NIODeadline] = [:]
    private var brokenAnnouncements: [SMTPEndpoint: NIODeadline] = [:]
    private var suspects: [SMTPExtensions.Keyword: [SMTPEndpoint: NIODeadline]] = [:]

    /// - Parameter lifetime: how long something is remembered after it was seen.
    package init(lifetime: Duration = .seconds(3_600)) {
        self.lifetime = lifetime
    }

    package mutating func breaksTLS(_ endpoint: SMTPEndpoint, at now: NIODeadline) {
        brokenTLS[endpoint] = now + TimeAmount(lifetime)
        forgetOld(at: now)
    }

    package mutating func breaksAnnouncements(_ endpoint: SMTPEndpoint, at now: NIODeadline) {
        brokenAnnouncements[endpoint] = now + TimeAmount(lifetime)
        forgetOld(at: now)
    }

    package func hasBrokenAnnouncements(_ endpoint: SMTPEndpoint, at now: NIODeadline) -> Bool {
        brokenAnnouncements[endpoint].map { now < $0 } ?? false
    }

    package mutating func breaks(_ keyword: SMTPExtensions.Keyword, _ endpoint: SMTPEndpoint, at now: NIODeadline) {
        suspects[keyword, default: [:]][endpoint] = now + TimeAmount(lifetime)
        forgetOld(at: now)
    }

    package func hasBrokenTLS(_ endpoint: SMTPEndpoint, at now: NIODeadline) -> Bool {
        brokenTLS[endpoint].map { now < $0 } ?? false
    }

    /// What the host's answer to EHLO counts as not offering.
    package func without(_ endpoint: SMTPEndpoint, at now: NIODeadline) -> Set<SMTPExtensions.Keyword> {
        Set(
            suspects.filter { _, hosts in
                let hosts = hosts.filter { now < $0.value }
                return hosts[endpoint] != nil || hosts.count >= Self.hostsForAll
            }.keys)
    }

    private mutating func forgetOld(at now: NIODeadline) {
        brokenTLS = brokenTLS.filter { now < $0.value }
        brokenAnnouncements = brokenAnnouncements.filter { now < $0.value }
        for keyword in suspects.keys { suspects[keyword] = suspects[keyword]?.filter { now < $0.value } }
    }

    private static let hostsForAll = 2
}
