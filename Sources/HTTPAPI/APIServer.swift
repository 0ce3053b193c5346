package import Hummingbird
import HummingbirdCore
import HummingbirdTLS
package import Logging
package import MailTypes
package import NIOCore
package import NIOSSL

/// Builds the HTTP API.
package enum APIServer {
    /// Everything that is answered, with an answer for what no route takes.
    package static func router(
        _ services: APIServices, exposure: APIExposure = APIExposure()
    ) -> Hummingbird.Router<APIContext> {
        let router = routes(services, exposure: exposure)
        UnroutedRequests.add(to: router, services.authentication(exposure))
        return router
    }

    /// The routes of ``APIOperation``, and no others.
    package static func routes(
        _ services: APIServices, exposure: APIExposure = APIExposure()
    ) -> Hummingbird.Router<APIContext> {
        let router = Hummingbird.Router(context: APIContext.self, options: .autoGenerateHeadEndpoints)
        router.add(middleware: ThreadMiddleware())
        router.add(middleware: ProblemMiddleware(exposure: exposure))
        let routes = OperationRoutes(router, services.authentication(exposure))
        let idempotency = Idempotency(store: services.idempotency, records: services.records)
        PublicRoutes(records: services.records, openAPI: services.openAPI).add(to: routes)
        UnsubscribeRoutes(unsubscriber: services.unsubscriber, campaigns: services.campaigns).add(to: routes)
        FeedbackRoutes(intake: services.providers).add(to: routes)
        CampaignRoutes(campaigns: services.campaigns, idempotency: idempotency, limits: services.limits).add(to: routes)
        CampaignEventRoutes(campaigns: services.campaigns).add(to: routes)
        OutcomeRoutes(campaigns: services.campaigns).add(to: routes)
        MailboxProviderRoutes(campaigns: services.campaigns).add(to: routes)
        CreditRoutes(records: services.records, ledger: services.ledger).add(to: routes)
        SuppressionRoutes(suppressions: services.suppressions, idempotency: idempotency).add(to: routes)
        DomainRoutes(
            domains: services.domains, verifier: services.verifier, campaigns: services.campaigns,
            idempotency: idempotency
        ).add(to: routes)
        WebhookRoutes(webhooks: services.webhooks, idempotency: idempotency).add(to: routes)
        KeyRoutes(keys: services.keys, sessions: services.sessions, idempotency: idempotency).add(to: routes)
        SessionRoutes(sessions: services.sessions, signIn: services.signIn, exposure: exposure).add(to: routes)
        SecondFactorRoutes(factors: services.factors, signIn: services.signIn).add(to: routes)
        PasswordRoutes(reset: services.passwordReset, hasMail: services.hasMail, exposure: exposure).add(to: routes)
        SignUpRoutes(signUp: services.signUp, sessions: services.sessions, exposure: exposure).add(to: routes)
        PageRoutes(hasMail: services.hasMail, takesStrangers: services.signUp != nil).add(to: routes)
        SessionListRoutes(sessions: services.sessions, memberSessions: services.memberSessions).add(to: routes)
        AccountRoutes(members: services.members).add(to: routes)
        MemberRoutes(members: services.members).add(to: routes)
        InvitationRoutes(
            invitations: services.invitations, joining: services.joining, sessions: services.sessions,
            hasMail: services.hasMail, exposure: exposure, idempotency: idempotency
        ).add(to: routes)
        LimitRoutes(services).add(to: routes)
        return router
    }

    /// - Parameters:
    ///   - port: 0 lets the system choose.
    ///   - tls: nil for plain HTTP.
    ///   - challenges: what a certificate authority is answered in a handshake; nil where none asks.
    ///   - proxies: whose word counts for where a request comes from.
    ///   - origins: whose web pages may call the API.
    ///   - publicURL: `https://…`, where people reach the server; nil: where their requests say that they do.
    ///   - connections: how many may be open at a time.
    ///   - onStart: told the port once it listens.
    package static func application(
        _ services: APIServices, host: String, port: Int, tls: TLSConfiguration?,
        challenges: CertificateChallenges? = nil, proxies: [IPNetwork] = [], origins: CrossOrigins = CrossOrigins(),
        publicURL: String? = nil, connections: Int = APILimits.connections,
        group: any EventLoopGroup, logger: Logger, onStart: @escaping @Sendable (Int) -> Void
    ) throws -> some ApplicationProtocol {
        let exposure = APIExposure(
            hasTLS: tls != nil, proxies: proxies, origins: origins, publicURL: publicURL)
        return Application(
            router: router(services, exposure: exposure), server: try server(tls, challenges),
            configuration: .init(
                address: .hostname(host, port: port), serverName: "sluice",
                availableConnectionsDelegate: MaximumAvailableConnections(connections)),
            onServerRunning: { channel in onStart(channel.localAddress?.port ?? port) },
            eventLoopGroupProvider: .shared(group), logger: logger)
    }

    private static func server(
        _ tls: TLSConfiguration?, _ challenges: CertificateChallenges?
    ) throws -> HTTPServerBuilder {
        let configuration = HTTP1Channel.Configuration(idleTimeout: .seconds(APILimits.idleSeconds))
        let plain = HTTPServerBuilder { responder in
            EventLoopChannel(base: HTTP1Channel(responder: responder, configuration: configuration))
        }
        guard let tls else { return plain }
        guard let challenges else { return try .tls(plain, tlsConfiguration: tls) }
        let context = try NIOSSLContext(configuration: tls)
        return HTTPServerBuilder { responder in
            ChallengeTLSChannel(
                base: EventLoopChannel(base: HTTP1Channel(responder: responder, configuration: configuration)),
                context: context, challenges: challenges)
        }
    }

    /// The listener for plain HTTP beside one with TLS: people who follow an old link are sent on, all else is refused.
    ///
    /// - Parameters:
    ///   - publicURL: `https://…` without a slash at its end, where pages are; nil: nobody is sent on.
    ///   - challenges: what a certificate authority finds here; nil where none asks.
    ///   - onStart: called once it listens.
    package static func redirector(
        host: String, port: Int, publicURL: String?, challenges: CertificateChallenges? = nil,
        connections: Int = APILimits.redirectorConnections,
        group: any EventLoopGroup, logger: Logger, onStart: @escaping @Sendable (Int) -> Void
    ) -> some ApplicationProtocol {
        Application(
            router: PlainRequests.router(publicURL: publicURL, challenges: challenges),
            server: .http1(configuration: .init(idleTimeout: .seconds(APILimits.idleSeconds))),
            configuration: .init(
                address: .hostname(host, port: port), serverName: "sluice",
                availableConnectionsDelegate: MaximumAvailableConnections(connections)),
            onServerRunning: { channel in onStart(channel.localAddress?.port ?? port) },
            eventLoopGroupProvider: .shared(group), logger: logger)
    }
}
