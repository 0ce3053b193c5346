package import Campaigns
package import CreditLedger
package import Feedback
import HTTPTypes
package import Hummingbird
import HummingbirdCore
import HummingbirdTLS
package import Identity
package import Logging
package import NIOCore
package import NIOSSL
package import Postgres

/// What the routes need.
package struct APIServices: Sendable {
    package var records: PostgresPool
    package var campaigns: CampaignService
    package var ledger: CreditLedger
    package var suppressions: SuppressionList
    package var domains: SendingDomains
    package var keys: APIKeys
    package var idempotency: IdempotencyStore
    package var unsubscriber: Unsubscriber
    package var openAPI: String

    package init(
        records: PostgresPool, campaigns: CampaignService, ledger: CreditLedger, suppressions: SuppressionList,
        domains: SendingDomains, keys: APIKeys, idempotency: IdempotencyStore, unsubscriber: Unsubscriber,
        openAPI: String
    ) {
        self.records = records
        self.campaigns = campaigns
        self.ledger = ledger
        self.suppressions = suppressions
        self.domains = domains
        self.keys = keys
        self.idempotency = idempotency
        self.unsubscriber = unsubscriber
        self.openAPI = openAPI
    }
}

/// Builds the HTTP API.
package enum APIServer {
    package static func router(_ services: APIServices) -> Hummingbird.Router<APIContext> {
        let router = Hummingbird.Router(context: APIContext.self)
        router.add(middleware: ProblemMiddleware())
        PublicRoutes(
            records: services.records, unsubscriber: services.unsubscriber, openAPI: services.openAPI
        ).add(to: router)
        let group = router.group("v1").add(middleware: AuthenticationMiddleware(keys: services.keys))
        CampaignRoutes(
            campaigns: services.campaigns,
            idempotency: Idempotency(store: services.idempotency, records: services.records)
        ).add(to: group)
        AccountRoutes(
            records: services.records, ledger: services.ledger, suppressions: services.suppressions,
            domains: services.domains
        ).add(to: group)
        return router
    }

    /// - Parameters:
    ///   - port: 0 lets the system choose.
    ///   - onStart: told the port once it listens.
    package static func application(
        _ services: APIServices, host: String, port: Int, tls: TLSConfiguration?, group: any EventLoopGroup,
        logger: Logger, onStart: @escaping @Sendable (Int) async -> Void
    ) throws -> some ApplicationProtocol {
        let server: HTTPServerBuilder = try tls.map { try .tls(.http1(), tlsConfiguration: $0) } ?? .http1()
        return Application(
            router: router(services), server: server,
            configuration: .init(address: .hostname(host, port: port), serverName: "sluice"),
            onServerRunning: { channel in await onStart(channel.localAddress?.port ?? port) },
            eventLoopGroupProvider: .shared(group), logger: logger)
    }
}
