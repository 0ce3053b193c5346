import ACME
import Campaigns
import DNSResolution
import Delivery
import Feedback
import Foundation
import HTTPAPI
import Identity
import InboundMail
import Logging
import MailSigning
import MailSink
import MailTypes
import NIOCertificateReloading
import NIOCore
import NIOPosix
import OperatorAPI
import Postgres
import SMTPTransport
import SendingDomains
import ServiceLifecycle
import Synchronization
import TLSPolicies
import UnixSignals
import Webhooks

/// A running node: HTTP API, delivery, mail that comes back, or several of them, over one set of records.
final class Server: Sendable {
    private let configuration: ServerConfiguration
    private let records: Records
    private let logger: Logger
    private let running = Mutex<ServiceGroup?>(nil)
    private let delivering = Mutex<DeliveryEngine?>(nil)

    /// One for the process, never shut down: connections may end after the services that had them, and a loop that is gone
    /// by then complains on standard error, which ends the process where that cannot be written.
    private static let eventLoops = MultiThreadedEventLoopGroup(numberOfThreads: max(1, System.coreCount / 2))

    init(_ configuration: ServerConfiguration, records: Records, logger: Logger) {
        self.configuration = configuration
        self.records = records
        self.logger = logger
    }

    /// Runs until a signal or `stop()`; mails under way are finished first.
    ///
    /// - Parameter onStart: told the port of the API once this node can be reached at all places where it listens; not
    ///   called without the API.
    func run(onStart: @escaping @Sendable (Int) -> Void) async throws {
        let roles = configuration.roles
        let startup = Startup(onStart)
        let certificates = configuration.certificates as? CertificateFiles
        let ordered = try await orderedCertificate()
        let hangups = await UnixSignalsSequence(trapping: .sighup)
        let group = Self.eventLoops
        let verifier = try records.domainVerifier()
        let providers = MailboxProviders(configuration.delivery.providers)
        var services: [ServiceGroupConfiguration.ServiceConfiguration] = []
        var engine: DeliveryEngine?
        if roles.contains(.delivery) {
            let delivering = try await deliveryEngine(group)
            engine = delivering
            self.delivering.withLock { $0 = delivering }
            services.append(
                .init(
                    service: delivering, successTerminationBehavior: .gracefullyShutdownGroup,
                    failureTerminationBehavior: .gracefullyShutdownGroup))
        }
        if roles.contains(.api) {
            services.append(
                .init(
                    service: try api(ordered?.challenges, group, startup),
                    successTerminationBehavior: .gracefullyShutdownGroup,
                    failureTerminationBehavior: .gracefullyShutdownGroup))
            if let place = configuration.httpRedirect {
                let started = startup.listener()
                services.append(
                    .init(
                        service: APIServer.redirector(
                            host: place.host, port: place.port, publicURL: configuration.delivery.publicURL,
                            challenges: ordered?.challenges, group: group, logger: logger,
                            onStart: { _ in started(nil) }),
                        failureTerminationBehavior: .gracefullyShutdownGroup))
            }
        }
        if let certificates { services.append(.init(service: certificates.reloader)) }
        if let ordered { services.append(.init(service: ordered.watch)) }
        if roles.contains(.api) {
            services.append(
                .init(
                    service: HourlySweep.answers(records.idempotency, records.pools.housekeeping, logger: logger)))
            services.append(
                .init(
                    service: HourlySweep.sessions(
                        records.sessions, records.signIn, records.invitations, records.pools.housekeeping,
                        logger: logger)))
            services.append(
                .init(service: HourlySweep.signUps(records.pools.housekeeping, logger: logger)))
            if let mailer = records.installationMailer() { services.append(.init(service: mailer)) }
            services.append(
                .init(
                    service: HourlySweep.drafts(
                        records.campaigns, olderThanDays: configuration.draftDays, logger: logger)))
            services.append(.init(service: HourlySweep.uploads(records.campaigns, logger: logger)))
            services.append(
                .init(service: HourlySweep.feedback(records.feedback, records.refunds, logger: logger)))
            services.append(.init(service: HourlySweep.reports(records.domains, logger: logger)))
            services.append(.init(service: ProviderFeedback(worker: records.providerPayloads, logger: logger)))
        }
        services.append(
            .init(service: AccountLimitsWatch(limits: records.limits, records: records.pools.journal, logger: logger)))
        let webhooks = try webhookWorker(group)
        services.append(
            .init(
                service: WebhookService(
                    worker: webhooks, interest: records.webhookInterest, records: records.pools.journal)))
        if !configuration.trustsDomains {
            services.append(
                .init(service: DomainWatch(verifier: verifier, campaigns: records.campaigns, logger: logger)))
        }
        let brakes = configuration.brakes
        if !brakes.brake.isOff {
            let keeper = BrakeKeeper(
                records: records.pools.housekeeping, brake: brakes.brake, hours: brakes.hours,
                slowRate: brakes.slowRate, logger: logger)
            services.append(
                .init(service: BrakeWatch(keeper: keeper, records: records.pools.housekeeping, logger: logger)))
        }
        services.append(
            .init(
                service: Reloader(
                    hangups: hangups, providersFile: configuration.providersFile,
                    routesFile: configuration.routesFile, certificates: certificates, engine: engine,
                    mailboxProviders: providers, logger: logger)))
        let inbound = roles.contains(.feedback) ? inboundMail(providers, group, startup) : nil
        if let inbound {
            services.append(
                .init(
                    service: inbound, successTerminationBehavior: .gracefullyShutdownGroup,
                    failureTerminationBehavior: .gracefullyShutdownGroup))
        }
        services += operatorServices(engine, inbound, webhooks, group, startup)
        var groupConfiguration = ServiceGroupConfiguration(
            services: services, gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        groupConfiguration.maximumGracefulShutdownDuration = .seconds(60)
        let serviceGroup = ServiceGroup(configuration: groupConfiguration)
        running.withLock { $0 = serviceGroup }
        try await serviceGroup.run()
    }

    func stop() async {
        await running.withLock { $0 }?.triggerGracefulShutdown()
    }

    /// How it signs; nil where it does not deliver.
    var signing: SigningStatus? { delivering.withLock { $0 }?.signing.status }

    /// What connections to routes say and hear from now on; nil where it does not deliver.
    func trace() -> SMTPTraceHub.Lines? { delivering.withLock { $0 }?.trace(lanes: "route") }

    // MARK: API

    private func api(
        _ challenges: CertificateChallenges?, _ group: any EventLoopGroup, _ startup: Startup
    ) throws -> some Service {
        let customers = records.customers
        return try APIServer.application(
            APIServices(
                records: customers.pool, campaigns: customers.campaigns, ledger: records.ledger,
                suppressions: customers.suppressions, domains: customers.domains,
                verifier: try records.domainVerifier(of: customers.domains), keys: customers.keys,
                limiter: RequestLimiter(pool: customers.pool, perMinute: configuration.requestsPerMinute),
                userLimiter: RequestLimiter(
                    pool: records.pools.intake, perMinute: configuration.userRequestsPerMinute),
                sessions: records.sessions, signIn: records.signIn, factors: records.factors,
                passwordReset: records.passwordReset, signUp: records.signUp, members: customers.members,
                memberSessions: customers.memberSessions,
                invitations: customers.invitations, joining: records.joining,
                hasMail: records.installationMail != nil, idempotency: records.idempotency,
                unsubscriber: customers.unsubscriber, providers: records.providerIntake, webhooks: customers.webhooks,
                openAPI: OpenAPIDocument.text, limits: records.limits),
            host: configuration.http.host, port: configuration.http.port,
            tls: try configuration.certificates?.web(), challenges: challenges, proxies: configuration.proxies,
            origins: configuration.origins, publicURL: configuration.delivery.publicURL,
            connections: min(APILimits.connections, configuration.descriptors.api), group: group, logger: logger,
            onStart: startup.listener())
    }

    // MARK: Certificates

    /// A certificate that is ordered, shown before the first connection is taken where there is one.
    private func orderedCertificate() async throws -> (watch: CertificateWatch, challenges: CertificateChallenges)? {
        guard let certificate = configuration.certificates as? OrderedCertificate else { return nil }
        let isReached = configuration.roles.contains(.api)
        let keeper = CertificateKeeper(
            certificate.settings.authority, certificate.settings.names, store: records.certificates,
            served: certificate.source,
            hasPlainListener: isReached && configuration.httpRedirect != nil, hasTLSListener: isReached, logger: logger)
        try await keeper.load()
        let book = ChallengeBook(store: records.certificates)
        return (
            CertificateWatch(keeper: keeper),
            CertificateChallenges(
                file: { await book.keyAuthorization(token: $0) }, handshake: { await book.context(name: $0) })
        )
    }

    // MARK: Webhooks

    /// Nil on a node that only delivers mail.
    private func webhookWorker(_ group: any EventLoopGroup) throws -> WebhookWorker? {
        guard configuration.roles != [.delivery] else { return nil }
        var settings = WebhookSender.Configuration()
        settings.allowsPrivateAddresses = configuration.delivery.allowsPrivateDestinations
        let resolver = try DNSResolution.Resolver(configuration.resolver)
        return WebhookWorker(
            records: records.pools.webhooks, vault: records.vault,
            sender: WebhookSender(settings, group: group) { try await resolver.addresses(of: $0) },
            node: configuration.delivery.node, logger: logger)
    }

    // MARK: Mail that comes back

    private func inboundMail(
        _ providers: MailboxProviders, _ group: any EventLoopGroup, _ startup: Startup
    ) -> InboundMailServer {
        var inbound = configuration.inbound
        inbound.limits.connections = min(inbound.limits.connections, configuration.descriptors.api / 2)
        if inbound.identity == nil {
            do {
                inbound.identity = try SelfSignedCertificate.make(hostname: inbound.hostname)
            } catch {
                logger.warning("mail comes back without TLS: no certificate is set, and openssl has made none")
            }
        }
        let started = startup.listener()
        return InboundMailServer(
            inbound, attributor: Attributor(vault: records.vault), domains: records.domains, intake: records.feedback,
            mailboxProvider: { providers.name(of: $0) }, group: group, logger: logger, onStart: { _ in started(nil) })
    }

    // MARK: Operators

    private func operatorServices(
        _ engine: DeliveryEngine?, _ inbound: InboundMailServer?, _ webhooks: WebhookWorker?,
        _ group: any EventLoopGroup, _ startup: Startup
    ) -> [ServiceGroupConfiguration.ServiceConfiguration] {
        let routes = OperatorRoutes(
            engine: engine, campaigns: records.campaigns, delivery: records.delivery,
            domains: { [records] in try await records.domains.census(on: records.pools.settlement) },
            webhooks: { [records] in
                (try await WebhookCensus.read(records.pools.webhooks), webhooks?.tally.counts ?? .init())
            }, brakeHours: configuration.brakes.hours, inbound: inbound)
        var services: [ServiceGroupConfiguration.ServiceConfiguration] = []
        if configuration.operatorSocket.prepare(logger) {
            services.append(
                .init(
                    service: OperatorServer.onSocket(
                        configuration.operatorSocket, routes, group: group, logger: logger,
                        onStart: startup.listener())))
        }
        if let endpoint = configuration.operatorEndpoint {
            services.append(
                .init(
                    service: OperatorServer.onPort(
                        host: endpoint.host, port: endpoint.port, routes, group: group, logger: logger,
                        onStart: startup.listener()),
                    failureTerminationBehavior: .gracefullyShutdownGroup))
        }
        return services
    }

    // MARK: Delivery

    private func deliveryEngine(_ group: any EventLoopGroup) async throws -> DeliveryEngine {
        var configuration = self.configuration.delivery
        let setting: Setting = self.configuration.routesFile == nil ? .route : .routes
        configuration.smarthosts = try configuration.smarthosts.map { try $0.resolved(setting: setting) }
        let resolver =
            configuration.deliversDirectly ? try DNSResolution.Resolver(self.configuration.resolver) : nil
        let metrics = DeliveryMetrics()
        let accounting = try configuration.accounting.map { try Self.accountingLog($0, metrics, logger) }
        // No claim that a campaign waits for opens a session.
        try await records.pools.journal.fill()
        return DeliveryEngine(
            configuration: configuration, store: records.delivery, fleetStore: records.fleet,
            reportTable: records.tlsReports,
            local: try LocalJournal(directory: self.configuration.journalDirectory), vault: records.vault,
            domains: records.domains, batchSigner: try await self.configuration.batchSigner.start(logger: logger),
            resolver: resolver, tlsPolicies: resolver.map { tlsPolicies($0, group) },
            ownAddresses: try SourcesFile.ownAddresses(), metrics: metrics, accounting: accounting, group: group,
            logger: logger)
    }

    private static func accountingLog(
        _ settings: AccountingLog.Settings, _ metrics: DeliveryMetrics, _ logger: Logger
    ) throws -> AccountingLog {
        do {
            return try AccountingLog(settings, metrics: metrics, logger: logger)
        } catch {
            throw SettingError(
                setting: .accountingLog, problem: "the file \(settings.path) cannot be opened for writing: \(error)")
        }
    }

    /// DANE needs a trust anchor; MTA-STS needs nothing but HTTPS.
    private func tlsPolicies(_ resolver: DNSResolution.Resolver, _ group: any EventLoopGroup) -> TLSPolicyResolver {
        TLSPolicyResolver(
            resolver: resolver, usesDANE: configuration.resolver.trustAnchorFile != nil,
            policies: configuration.usesMTASTS
                ? MTASTSPolicies(
                    resolver: resolver, fetcher: MTASTSFetcher(group: group, resolver: resolver),
                    store: records.mtaSTSPolicies) : nil)
    }
}
