import Configuration
import DNSResolution
import Delivery
import Foundation
import HTTPAPI
import Logging
import MailTypes
import NIOCore
import NIOPosix
import NIOSSL
import SMTPProtocol
import SMTPTransport
import ServiceLifecycle
import Synchronization
import TrafficShaping
import UnixSignals

/// A running node: HTTP API, delivery, or both, over one set of records.
final class Server: Sendable {
    /// What a node does.
    enum Role: String, CaseIterable {
        case api, delivery
    }

    private let settings: Settings
    private let records: Records
    private let logger: Logger
    private let running = Mutex<ServiceGroup?>(nil)

    init(settings: Settings, records: Records, logger: Logger) {
        self.settings = settings
        self.records = records
        self.logger = logger
    }

    /// Runs until a signal or `stop()`; mails under way are finished first.
    ///
    /// - Parameter onStart: told the port of the API once it listens; not called without the API.
    func run(onStart: @escaping @Sendable (Int) async -> Void) async throws {
        let roles = try self.roles()
        let group = MultiThreadedEventLoopGroup(numberOfThreads: max(1, System.coreCount / 2))
        var services: [ServiceGroupConfiguration.ServiceConfiguration] = []
        if roles.contains(.delivery) {
            services.append(
                .init(
                    service: try await deliveryEngine(group), successTerminationBehavior: .gracefullyShutdownGroup,
                    failureTerminationBehavior: .gracefullyShutdownGroup))
        }
        if roles.contains(.api) {
            services.append(
                .init(
                    service: try api(group, onStart: onStart), successTerminationBehavior: .gracefullyShutdownGroup,
                    failureTerminationBehavior: .gracefullyShutdownGroup))
        }
        var configuration = ServiceGroupConfiguration(
            services: services, gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        configuration.maximumGracefulShutdownDuration = .seconds(60)
        let serviceGroup = ServiceGroup(configuration: configuration)
        running.withLock { $0 = serviceGroup }
        let failure: (any Error)?
        do {
            try await serviceGroup.run()
            failure = nil
        } catch {
            failure = error
        }
        try? await group.shutdownGracefully()
        if let failure { throw failure }
    }

    func stop() async {
        await running.withLock { $0 }?.triggerGracefulShutdown()
    }

    private func roles() throws -> Set<Role> {
        let text = settings.text("roles", default: "api,delivery")
        let roles = try text.split(separator: ",").map { name in
            guard let role = Role(rawValue: name.trimmingCharacters(in: .whitespaces)) else {
                throw SettingError(setting: "roles", problem: "there is no role \(name); roles are api and delivery")
            }
            return role
        }
        guard !roles.isEmpty else { throw SettingError(setting: "roles", problem: "a node needs a role") }
        return Set(roles)
    }

    // MARK: API

    private func api(_ group: any EventLoopGroup, onStart: @escaping @Sendable (Int) async -> Void) throws -> some Service {
        let endpoint = try settings.endpoint("http", default: "127.0.0.1:8025")
        return try APIServer.application(
            APIServices(
                records: records.pool, campaigns: records.campaigns, ledger: records.ledger,
                suppressions: records.suppressions, domains: records.domains, keys: records.keys,
                idempotency: records.idempotency, unsubscriber: records.unsubscriber, openAPI: OpenAPIDocument.text),
            host: endpoint.host, port: endpoint.port, tls: try tls(), group: group, logger: logger, onStart: onStart)
    }

    private func tls() throws -> TLSConfiguration? {
        guard let certificate = settings.text("tlsCertificate") else { return nil }
        guard let key = settings.text("tlsKey") else {
            throw SettingError(setting: "tlsKey", problem: "a certificate needs its key")
        }
        do {
            let chain = try NIOSSLCertificate.fromPEMFile(certificate).map { NIOSSLCertificateSource.certificate($0) }
            return .makeServerConfiguration(
                certificateChain: chain, privateKey: .privateKey(try NIOSSLPrivateKey(file: key, format: .pem)))
        } catch {
            throw SettingError(setting: "tlsCertificate", problem: "certificate or key cannot be read as PEM")
        }
    }

    // MARK: Delivery

    private func deliveryEngine(_ group: any EventLoopGroup) async throws -> DeliveryEngine {
        let configuration = try deliveryConfiguration()
        let resolver: DNSResolution.Resolver?
        var routeAddresses: [IPAddress] = []
        if let route = configuration.route {
            resolver = nil
            routeAddresses = try addresses(of: route, allowsPrivate: configuration.allowsPrivateDestinations)
        } else {
            resolver = try DNSResolution.Resolver(try resolverConfiguration())
        }
        return DeliveryEngine(
            configuration: configuration, store: records.delivery, vault: records.vault, domains: records.domains,
            resolver: resolver, routeAddresses: routeAddresses, group: group, logger: logger)
    }

    private func deliveryConfiguration() throws -> DeliveryConfiguration {
        let host = ProcessInfo.processInfo.hostName
        var configuration = DeliveryConfiguration(
            node: settings.text("node", default: host), heloName: settings.text("helo", default: host))
        configuration.route = try settings.text("route").map(DeliveryConfiguration.Route.init(setting:))
        configuration.smtpPort = try settings.number("smtpPort", default: 25, in: 1...65_535)
        configuration.allowsPrivateDestinations = try settings.flag("allowPrivateDestinations")
        let http = try settings.endpoint("http", default: "127.0.0.1:8025")
        if configuration.allowsPrivateDestinations, !http.isLoopback, !(try settings.flag("force")) {
            throw SettingError(
                setting: "allowPrivateDestinations",
                problem: "a public HTTP listener would let customers reach private hosts; --force insists")
        }
        if let publicURL = settings.text("publicUrl") {
            guard publicURL.hasPrefix("https://"), !publicURL.hasSuffix("/") else {
                throw SettingError(setting: "publicUrl", problem: "starts with https:// and has no slash at its end")
            }
            configuration.publicURL = publicURL
        } else {
            logger.notice("no public URL is set: mails carry no List-Unsubscribe")
        }
        let base = try settings.number("retryBase", default: 600, in: 1...86_400)
        configuration.retry = RetrySchedule(baseSeconds: Double(base), maximumSeconds: Double(max(base, 14_400)))
        configuration.laneLimits.connections = try settings.number(
            "connections", default: configuration.route == nil ? 20 : 64, in: 1...10_000)
        if configuration.route != nil { configuration.laneLimits.messagesPerConnection = 1_000 }
        return configuration
    }

    private func resolverConfiguration() throws -> ResolverConfiguration {
        guard let text = settings.text("dns") else { return ResolverConfiguration(forwarders: nil) }
        guard let server = DNSServer(text) else {
            throw SettingError(setting: "dns", problem: "the resolver is named by address:port")
        }
        return ResolverConfiguration(forwarders: [server])
    }

    /// The route is the operator's own word, so private addresses are fine; it is resolved once, at the start.
    private func addresses(
        of route: DeliveryConfiguration.Route, allowsPrivate: Bool
    ) throws -> [IPAddress] {
        if let address = IPAddress(route.host) { return [address] }
        let found = try? SocketAddress.makeAddressResolvingHost(route.host, port: route.port)
        guard let text = found?.ipAddress, let address = IPAddress(text) else {
            throw SettingError(setting: "route", problem: "\(route.host) has no address")
        }
        return [address]
    }
}

extension DeliveryConfiguration.Route {
    /// `smtp://[user:password@]host:port`
    init(setting text: String) throws {
        guard let url = URLComponents(string: text), url.scheme == "smtp", let host = url.host, !host.isEmpty,
            url.path.isEmpty || url.path == "/"
        else {
            throw SettingError(setting: "route", problem: "a route looks like smtp://host:port")
        }
        var credentials: SMTPCredentials?
        if let user = url.user?.removingPercentEncoding {
            guard let password = url.password?.removingPercentEncoding else {
                throw SettingError(setting: "route", problem: "a user needs a password")
            }
            credentials = SMTPCredentials(username: user, password: password)
        }
        let bare = host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
        self.init(host: bare, port: url.port ?? 25, credentials: credentials)
    }
}
