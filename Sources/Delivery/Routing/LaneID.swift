/// What tells lanes apart: a site of a provider, what mail demands of it, and the source it leaves from.
struct LaneID: Sendable, Hashable {
    /// The provider whose rules the lane follows.
    let provider: String
    /// Names of the site's mail hosts in order; of a smarthost, its name or address.
    let hosts: [String]
    /// Of a smarthost; nil for the recipients' own servers.
    var port: Int?
    /// What mails demand of the connection beyond others', such as REQUIRETLS or what MTA-STS publishes. Mails that demand
    /// different things of one site must not share connections.
    var demands: [String] = []
    /// The address that connections leave from; nil where the system picks it.
    var source: String?

    var isSmarthost: Bool { port != nil }

    /// The lane from this source to the same site.
    func from(_ source: String?) -> LaneID {
        var id = self
        id.source = source
        return id
    }

    /// Names of the mail hosts, a smarthost with its port; and what mail demands of them.
    var site: String {
        let hosts = hosts.map(named).joined(separator: ",")
        return demands.isEmpty ? hosts : "\(hosts) (\(demands.joined(separator: " ")))"
    }

    /// Whether an operator means this lane: by its whole name, with or without the provider or the source; by its
    /// provider; by one of its hosts, with or without a port; or by `route`, which is every smarthost.
    func matches(_ pattern: String) -> Bool {
        let site = site
        return [provider, site, "\(provider) \(site)", description].contains(pattern)
            || hosts.contains { $0 == pattern || named($0) == pattern }
            || isSmarthost && (pattern == Self.anySmarthost || pattern == "\(Self.anySmarthost) \(site)")
            || source.map { pattern == "\(site) from \($0)" } ?? false
    }

    private static let anySmarthost = "route"

    private func named(_ host: String) -> String {
        guard let port else { return host }
        return host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}

extension LaneID: CustomStringConvertible {
    /// For operators, logs and the fleet's shared rates; never taken apart.
    var description: String { "\(provider) \(site)" + (source.map { " from \($0)" } ?? "") }
}
