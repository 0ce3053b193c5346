/// How a resolver finds its answers.
package struct ResolverConfiguration: Sendable {
    package enum Upstream: Sendable, Hashable {
        /// The servers of `/etc/resolv.conf`; without such a file, the root servers.
        case system
        /// Ask from the root servers down.
        case roots
        /// These, one of which may be on this machine.
        case forwarders([DNSServer])
    }

    package var upstream: Upstream
    /// For all questions of one call together.
    package var timeout: Duration
    /// A file of DS or DNSKEY records to validate from, such as Debian's `/usr/share/dns/root.key`. Without one nothing is
    /// validated.
    package var trustAnchorFile: String?
    /// Whether IPv6 addresses are asked for.
    package var usesVersion6: Bool
    /// Whether a host's IPv6 addresses come before its IPv4 addresses.
    package var prefersVersion6: Bool
    /// Questions under way at a time; more wait.
    package var maximumConcurrentQuestions: Int
    /// Seconds for which an answer is kept at most, that there is none included; nil as long as its records may.
    package var longestKept: Int?

    package init(
        upstream: Upstream = .system, timeout: Duration = .seconds(20), trustAnchorFile: String? = nil,
        usesVersion6: Bool = true, prefersVersion6: Bool = false, maximumConcurrentQuestions: Int = 512
    ) {
        self.upstream = upstream
        self.timeout = timeout
        self.trustAnchorFile = trustAnchorFile
        self.usesVersion6 = usesVersion6
        self.prefersVersion6 = prefersVersion6
        self.maximumConcurrentQuestions = maximumConcurrentQuestions
    }

    /// - Parameter forwarders: nil for the system's.
    package init(forwarders: [DNSServer]?, timeout: Duration = .seconds(20)) {
        self.init(upstream: forwarders.map(Upstream.forwarders) ?? .system, timeout: timeout)
    }
}

/// A resolver could not be set up, say for a missing trust anchor file.
package struct ResolverConfigurationError: Error, Sendable, Hashable, CustomStringConvertible {
    package let description: String
}
