import DNSResolution
import MailTypes
import NIOCore
import SMTPTransport
import SendingDomains
import TLSPolicies
import TrafficShaping

extension TLSReporter.World {
    /// DNS, mail hosts and web servers as they are.
    static func real(
        _ configuration: DeliveryConfiguration, destinations: DestinationResolver, resolver: DNSResolution.Resolver,
        domains: SendingDomains, clock: DeliveryClock, dice: Dice, group: any EventLoopGroup
    ) -> TLSReporter.World {
        let source = configuration.sources[DeliveryConfiguration.defaultPool]?.sources.first
        var client = SMTPClientConfiguration(
            heloName: source?.heloName ?? configuration.heloName, tls: .opportunistic,
            timeouts: configuration.timeouts)
        client.localAddress = source.flatMap { IPAddress($0.address) }
        return TLSReporter.World(
            texts: { name throws(DNSFailure) in try await resolver.txt(name) },
            targets: { domain throws(TLSReporter.NoRoute) in try await destinations.reportTargets(of: domain) },
            signer: { domain in
                guard let account = try await domains.owner(of: domain) else { return nil }
                return try await domains.signer(account, domain)
            },
            client: client,
            upload: TLSReportUpload(group: group) { host throws(DNSFailure) in
                try await resolver.addresses(of: host)
            },
            group: group, now: { clock.date },
            delay: {
                var dice = dice
                return .random(in: 900..<14_400, using: &dice)
            })
    }
}

extension DestinationResolver {
    fileprivate func reportTargets(of domain: DomainName) async throws(TLSReporter.NoRoute) -> [SMTPTarget] {
        do throws(RoutingFailure) {
            return try await targets(of: domain)
        } catch {
            throw TLSReporter.NoRoute(isPermanent: error.isPermanent, reason: error.reason)
        }
    }
}
