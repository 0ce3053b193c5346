package import Hummingbird
import HummingbirdCore
import HummingbirdTLS
package import Logging
package import NIOCore
package import NIOSSL

/// Builds the HTTP API.
package enum APIServer {
    /// Everything that is answered, with an answer for what no route takes.
    package static func router(_ services: APIServices) -> Hummingbird.Router<APIContext> {
        let router = routes(services)
        UnroutedRequests.add(to: router, keys: services.keys)
        return router
    }

    /// The routes that docs/openapi.yaml describes, and no others.
    package static func routes(_ services: APIServices) -> Hummingbird.Router<APIContext> {
        let router = Hummingbird.Router(context: APIContext.self, options: .autoGenerateHeadEndpoints)
        router.add(middleware: ProblemMiddleware())
        PublicRoutes(records: services.records, openAPI: services.openAPI).add(to: router)
        UnsubscribeRoutes(unsubscriber: services.unsubscriber, campaigns: services.campaigns).add(to: router)
        FeedbackRoutes(intake: services.providers).add(to: router)
        let group = router.group("v1").add(middleware: AuthenticationMiddleware(keys: services.keys))
        let idempotency = Idempotency(store: services.idempotency, records: services.records)
        CampaignRoutes(campaigns: services.campaigns, idempotency: idempotency).add(to: group)
        CampaignEventRoutes(campaigns: services.campaigns).add(to: group)
        OutcomeRoutes(campaigns: services.campaigns).add(to: group)
        MailboxProviderRoutes(campaigns: services.campaigns).add(to: group)
        CreditRoutes(records: services.records, ledger: services.ledger).add(to: group)
        SuppressionRoutes(suppressions: services.suppressions, idempotency: idempotency).add(to: group)
        DomainRoutes(
            domains: services.domains, verifier: services.verifier, campaigns: services.campaigns,
            idempotency: idempotency
        ).add(to: group)
        WebhookRoutes(webhooks: services.webhooks, idempotency: idempotency).add(to: group)
        return router
    }

    /// - Parameters:
    ///   - port: 0 lets the system choose.
    ///   - connections: how many may be open at a time.
    ///   - onStart: told the port once it listens.
    package static func application(
        _ services: APIServices, host: String, port: Int, tls: TLSConfiguration?,
        connections: Int = APILimits.connections,
        group: any EventLoopGroup, logger: Logger, onStart: @escaping @Sendable (Int) -> Void
    ) throws -> some ApplicationProtocol {
        let plain = HTTPServerBuilder.http1(configuration: .init(idleTimeout: .seconds(APILimits.idleSeconds)))
        let server = try tls.map { try .tls(plain, tlsConfiguration: $0) } ?? plain
        return Application(
            router: router(services), server: server,
            configuration: .init(
                address: .hostname(host, port: port), serverName: "sluice",
                availableConnectionsDelegate: MaximumAvailableConnections(connections)),
            onServerRunning: { channel in onStart(channel.localAddress?.port ?? port) },
            eventLoopGroupProvider: .shared(group), logger: logger)
    }
}
