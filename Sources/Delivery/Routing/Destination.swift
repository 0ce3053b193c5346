import MailTypes
import SMTPTransport
import TLSPolicies
import TrafficShaping

/// Where mail to a domain goes: the site behind its MX records, or a smarthost.
struct Destination: Sendable {
    /// Without a source, which is chosen later.
    let id: LaneID
    let provider: Provider
    var targets: [SMTPTarget]
    /// What the recipients' domain publishes of it.
    var tlsPolicy: DomainTLSPolicy?
    /// For mails that ask for REQUIRETLS, which only some of the hosts may take.
    var requiresTLS = false
    /// Nil for the recipients' own servers.
    var smarthost: Smarthost?
}

extension Destination {
    init(_ smarthost: Smarthost, _ provider: Provider) {
        precondition(!smarthost.addresses.isEmpty, "a smarthost without an address leads nowhere")
        self.init(
            id: LaneID(provider: provider.name, hosts: [smarthost.host], port: smarthost.port), provider: provider,
            targets: smarthost.targets, smarthost: smarthost)
    }

    /// A source reaches the hosts of its own family.
    func targets(from source: MailSource?) -> [SMTPTarget] {
        guard let local = source.flatMap({ IPAddress($0.address) }) else { return targets }
        let reachable = targets.filter { $0.address.isVersion6 == local.isVersion6 }
        return reachable.isEmpty ? targets : reachable
    }
}

/// Why there is no way to a domain.
struct RoutingFailure: Error, Hashable {
    let isPermanent: Bool
    let reason: String
    /// RFC 3463: 5.1.2 bad destination system, 5.1.10 null MX (RFC 7505), 4.4.3 directory failure, 5.4.4 no route, 5.4.6
    /// routing loop.
    let enhanced: EnhancedStatusCode?
}
