package import SMTPProtocol
package import SMTPTransport

/// Where mail that comes back is taken in, and how much of it.
package struct InboundMailConfiguration: Sendable {
    /// `0.0.0.0` and `::` mean all addresses of this machine.
    package var host: String
    /// 0 lets the system choose.
    package var port: Int
    /// Given in the greeting and in the answer to EHLO.
    package var hostname: String
    /// Offers STARTTLS where there is one.
    package var identity: TLSIdentity?
    package var timeouts = SMTPTimeouts.standard
    package var limits = InboundMailLimits()

    package init(host: String, port: Int, hostname: String) {
        self.host = host
        self.port = port
        self.hostname = hostname
    }

    var listener: SMTPListenerConfiguration {
        var configuration = SMTPListenerConfiguration(hostname: hostname)
        configuration.host = host
        configuration.port = port
        configuration.identity = identity
        configuration.timeouts = timeouts
        configuration.contentTimeout = limits.contentTime
        configuration.leastContentRate = limits.contentRate
        configuration.maximumConnections = limits.connections
        configuration.profile.maximumMessageOctets = limits.messageOctets
        configuration.profile.limits.textLineOctets = limits.lineOctets
        configuration.profile.limits.recipients = limits.recipients
        return configuration
    }
}

/// Bounds of what strangers may send.
package struct InboundMailLimits: Sendable, Hashable {
    /// Of one mail; more is refused with 552. A report may return the whole of a mail of ours, of 25 MiB at the most.
    package var messageOctets = 32 << 20
    /// What is kept of a mail. A report says what it has to say at its beginning.
    package var keptOctets = 1 << 20
    /// What is kept of all mails under way together; a mail beyond it is put off with 452.
    package var keptOctetsOfAll = 64 << 20
    /// Of that, what one address may take: an eighth.
    package var keptOctetsOfClient = 8 << 20
    /// Of one line. Reports quote what broken programs wrote, so it is more than the standard's thousand.
    package var lineOctets = 65_536
    /// Of one transaction (RFC 5321 §4.5.3.1.8).
    package var recipients = 100
    /// The longest time for the content of one mail.
    package var contentTime = Duration.seconds(600)
    /// How slowly it may come; nil for any rate.
    package var contentRate: SMTPLeastRate? = SMTPLeastRate(octetsPerSecond: 1_024)
    /// Open connections
    package var connections = 1_000
    /// Open connections of one address.
    package var connectionsOfClient = 50
    /// Open connections of one IPv6 /48, of which one client may have all networks.
    package var connectionsOfSite = 100
    /// Mails of one address: at once, and a second from then on.
    package var mailsOfClient = Rate(burst: 1_200, perSecond: 20)
    /// Recipients of one address that do not exist: who guesses tokens is sent away.
    package var missesOfClient = Rate(burst: 100, perSecond: 1)
    /// Client addresses that are remembered. Where there are more, some are forgotten and none is refused.
    package var clients = 50_000

    package struct Rate: Sendable, Hashable {
        package var burst: Double
        package var perSecond: Double

        package init(burst: Double, perSecond: Double) {
            self.burst = burst
            self.perSecond = perSecond
        }
    }

    package init() {}
}
