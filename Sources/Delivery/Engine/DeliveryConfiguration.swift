import Fleet
import MailTypes
package import SMTPProtocol
package import SMTPTransport
package import TLSPolicies
package import TrafficShaping

/// What an operator decides about delivery.
package struct DeliveryConfiguration: Sendable {
    /// The name leases are held under. One running process a name.
    package var node: String
    /// The log of attempts, where the operator wants one.
    package var accounting: AccountingLog.Settings?
    /// The name given in EHLO (RFC 5321 §4.1.1.1): the host name that the sending address resolves back to.
    package var heloName: String
    /// Smarthosts that take mail instead of the recipients' own servers. Several share it by weight, and take over from
    /// each other. Without one that takes all mail it is delivered directly.
    package var smarthosts: [Smarthost] = []
    /// What holds for mail to single domains.
    package var domains = DomainRules()
    /// The port mail servers listen on; another one only in tests.
    package var smtpPort: Int = 25
    /// Lifts the guard against loopback, private and other non-global addresses.
    package var allowsPrivateDestinations = false
    /// Batches in work at once, those included that only wait for the last answers. Together with their size it bounds
    /// the memory of the engine.
    package var activeBatches = 256
    /// Mails that wait for a connection: batches are claimed while there are fewer.
    package var waitingMails = 8_000
    /// Batches of one account whose destinations are looked for at once: names that nobody answers for take seconds each.
    package var lookUpBatches = 4
    /// Connections open at once, all sites together. Each takes a file descriptor.
    package var connections = 4_096
    /// Seconds after which another node may take over a batch.
    package var leaseSeconds = 30
    /// What is known of mail providers: limits of each site, and what its refusals mean.
    package var providers = ProviderRules.builtIn
    /// Pools of this machine's addresses that mail leaves from, by name; empty to leave the address to the system.
    package var sources: [String: SourcePool] = [:]
    /// The pool of accounts for which no other was set.
    package static let defaultPool = AccountShaping.defaultPool
    /// Limits of every lane, in tests; otherwise those of the provider apply.
    package var laneLimits: LaneLimits?
    /// Limits of each smarthost; nil for those of other lanes.
    package var smarthostLimits: LaneLimits?
    /// How lanes slow down, pause and recover.
    package var governor = GovernorPolicy()
    package var retry = RetrySchedule()
    /// What becomes of mail that is refused for good.
    package var refusals = RefusalPolicy()
    /// How often a mail is sent again whose answer was lost, where its campaign wants that; then the recipient ends in
    /// doubt.
    package var inDoubtResends = 1
    /// An address is suppressed when so many campaigns have found its mailbox disabled, or its domain without mail; 0 for
    /// never.
    package var deadAfterCampaigns = 3
    /// The most that an intent waits for company in its journal commit. Longer groups cost the database less and each
    /// mail a little latency.
    package var journalInterval: Duration = .milliseconds(15)
    /// `https://…` under which recipients reach the unsubscribe page; without it List-Unsubscribe has no link.
    package var publicURL: String?
    /// Who sends, the last part of Feedback-ID: receivers count complaints by it. See ``FeedbackSender``.
    package var feedbackSender = FeedbackSender.standard
    /// Whether mails name addresses at the return path, which some node then has to answer, for complaints and for
    /// unsubscribing.
    package var namesFeedbackAddresses = true
    /// Seconds that mails under way may take to finish when the node stops.
    package var drainSeconds = 30
    /// The protection of the way to smarthosts that say nothing else, and of every way where receivers publish nothing.
    package var tls: SMTPTLSPolicy = .opportunistic
    /// The least protection of mail to recipients' own servers.
    package var tlsRequirement = TLSRequirement.opportunistic
    /// PEM file of the authorities that certificates are checked against; nil for the system's.
    package var trustRootsFile: String?
    package var timeouts = SMTPTimeouts.standard
    /// Nil: receivers are told nothing of their TLS, and nothing is counted for it. Says nothing of mail
    /// that smarthosts take.
    package var tlsReports: TLSReportSettings?

    /// The addresses that mail leaves from. None behind smarthosts, which have their own.
    ///
    /// - Parameter own: of this machine. Where no sources are named, the system picks among those that the Internet knows.
    func sourceAddresses(of own: Set<IPAddress>) -> [IPAddress] {
        guard deliversDirectly else { return [] }
        guard !sources.isEmpty else { return Array(own.filter(\.isGlobal)) }
        return sources.values.flatMap(\.sources).compactMap { IPAddress($0.address) }
    }

    package init(node: String, heloName: String) {
        self.node = node
        self.heloName = heloName
    }

    /// Whether mail to some domain goes to the recipients' own servers.
    package var deliversDirectly: Bool { Self.deliversDirectly(smarthosts, domains) }

    static func deliversDirectly(_ smarthosts: [Smarthost], _ domains: DomainRules) -> Bool {
        smarthosts.allSatisfy(\.isOnlyNamed) || domains.all.contains { $0.way == .direct }
    }
}
