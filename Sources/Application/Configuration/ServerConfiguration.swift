import ACME
import DNSResolution
import Delivery
import Foundation
import HTTPAPI
import Identity
import InboundMail
import Logging
import MailTypes
import OperatorAPI
import SMTPProtocol
import SMTPTransport
import StrictYAML
import TLSPolicies
import TrafficShaping

/// What a node is told to do, read and checked before anything is started.
struct ServerConfiguration: Sendable {
    /// What a node does.
    enum Role: String, CaseIterable {
        case api, delivery, feedback
    }

    let roles: Set<Role>
    let http: Endpoint
    /// Of all listeners; nil: the API speaks plain HTTP.
    let certificates: (any ListenerCertificate)?
    /// Where plain HTTP is redirected or refused; nil without that listener.
    let httpRedirect: Endpoint?
    /// Whose X-Forwarded-For and X-Forwarded-Proto are believed.
    let proxies: [IPNetwork]
    /// Whose web pages may call the API.
    let origins: CrossOrigins
    /// Of a key without a limit of its own; nil: no limit.
    let requestsPerMinute: Int?
    /// Of a person who has signed in; nil: no limit.
    let userRequestsPerMinute: Int?
    let delivery: DeliveryConfiguration
    /// Where mail of the return paths is taken in, on a node with that role.
    let inbound: InboundMailConfiguration
    /// The operator's file of provider rules; nil for the built-in rules alone.
    let providersFile: String?
    /// The operator's file of smarthosts, if there is one.
    let routesFile: RoutesFile?
    let resolver: ResolverConfiguration
    /// Whether receivers' MTA-STS policies are fetched and obeyed.
    let usesMTASTS: Bool
    /// Folder of the node's own journal. A node that is started again must find it.
    let journalDirectory: String
    let operatorSocket: OperatorSocket
    /// Where monitors read metrics; nil without a port.
    let operatorEndpoint: Endpoint?
    let descriptors: FileDescriptorBudget
    /// Days after which a draft that nobody has sent is given up.
    let draftDays: Int
    let brakes: BrakeSettings
    let batchSigner: BatchSignerSettings
    /// Every registered sending domain counts as proven.
    let trustsDomains: Bool

    init(_ settings: Settings, descriptors: FileDescriptorBudget, logger: Logger) throws {
        self.descriptors = descriptors
        draftDays = try settings.number(.draftDays, in: 1...3_650)
        brakes = try BrakeSettings(settings)
        batchSigner = try BatchSignerSettings(settings)
        trustsDomains = try settings.flag(.trustDomains)
        // The records read them; a wrong one is refused here, before anything is opened.
        _ = try settings.resultsSeconds()
        _ = try settings.installationMail()
        _ = try settings.flag(.newDeviceCodes)
        _ = try settings.signUpsPerDay()
        roles = try Self.roles(settings)
        let acme = try ACMESettings(settings)
        // One setting is enough for a public API: what an authority needs to reach is what customers reach.
        http =
            acme != nil && settings.text(.http) == nil
            ? Endpoint(host: "0.0.0.0", port: 443) : try settings.endpoint(.http)
        if trustsDomains, !http.isLoopback, !(try settings.flag(.force)) {
            throw SettingError(
                setting: .trustDomains,
                problem: "a public HTTP listener would let customers send as anybody; --force insists")
        }
        if let acme {
            certificates = try OrderedCertificate(acme)
        } else {
            certificates = try CertificateFiles(settings, logger: logger)
        }
        httpRedirect = try Self.redirect(settings, isOrdered: acme != nil)
        guard httpRedirect == nil || certificates != nil else {
            throw SettingError(
                setting: .httpRedirect, problem: "there is no TLS to redirect to: set tls_certificate or acme")
        }
        origins = try CrossOrigins(settings)
        proxies = try Self.proxies(settings)
        requestsPerMinute = try Self.requests(.requestsPerMinute, settings)
        userRequestsPerMinute = try Self.requests(.userRequestsPerMinute, settings)
        (delivery, routesFile) = try Self.delivery(
            settings, http: http, host: acme?.names.all.first, descriptors: descriptors, logger: logger)
        inbound = try Self.inbound(settings, hostname: delivery.heloName, certificates)
        providersFile = settings.text(.providers)
        resolver = try Self.resolver(settings)
        let folder = delivery.node.map { $0.isLetter || $0.isNumber || "-_.".contains($0) ? String($0) : "_" }.joined()
        journalDirectory = settings.dataDirectory + "/journal/" + folder
        usesMTASTS = try settings.flag(.mtaSTS)
        operatorSocket = OperatorSocket(settings.operatorSocket)
        operatorEndpoint = try Self.operatorEndpoint(settings)
        if roles.contains(.api), !http.isLoopback, certificates == nil, proxies.isEmpty,
            !(try settings.flag(.force))
        {
            throw SettingError(
                setting: .http,
                problem: "\(http) is public and without TLS, so that API keys could be read on their way: set "
                    + "acme or tls_certificate, or trusted_proxies where a proxy has the TLS; --force insists")
        }
        // Last, because the default is no mistake of the operator's.
        if roles.contains(.delivery), delivery.deliversDirectly { try Self.checkIsWhole(delivery.heloName) }
    }

    /// Receivers refuse a short name for good (RFC 5321 §4.1.1.1). A smarthost is told any.
    private static func checkIsWhole(_ heloName: String) throws {
        let isLiteral = heloName.hasPrefix("[") && heloName.hasSuffix("]")
        guard isLiteral || heloName.split(separator: ".").count >= 2 else {
            throw SettingError(
                setting: .helo,
                problem: "\(heloName) is a short name, which receivers refuse: give the name that the sending address "
                    + "resolves back to, such as mail.example.net")
        }
    }

    private static func operatorEndpoint(_ settings: Settings) throws -> Endpoint? {
        guard settings.text(.operatorEndpoint) != nil else { return nil }
        let endpoint = try settings.endpoint(.operatorEndpoint)
        guard endpoint.isLoopback else {
            throw SettingError(
                setting: .operatorEndpoint,
                problem: "\(endpoint) is not on loopback: metrics have no password; use a proxy")
        }
        return endpoint
    }

    private static func roles(_ settings: Settings) throws -> Set<Role> {
        let text = settings.value(.roles)
        let roles = try text.split(separator: ",").map { name in
            guard let role = Role(rawValue: name.trimmingCharacters(in: .whitespaces)) else {
                throw SettingError(
                    setting: .roles, problem: "there is no role \(name); roles are api, delivery and feedback")
            }
            return role
        }
        guard !roles.isEmpty else { throw SettingError(setting: .roles, problem: "a node needs a role") }
        return Set(roles)
    }

    /// - Returns: nil for no limit
    private static func requests(_ setting: Setting, _ settings: Settings) throws -> Int? {
        let requests = try settings.number(setting, in: 0...IdentityLimits.requestsPerMinute.upperBound)
        return requests == 0 ? nil : requests
    }

    private static func proxies(_ settings: Settings) throws -> [IPNetwork] {
        try (settings.text(.trustedProxies) ?? "").split(separator: ",").map { text in
            guard let network = IPNetwork(text.trimmingCharacters(in: .whitespaces)) else {
                throw SettingError(
                    setting: .trustedProxies,
                    problem: "\(text) is neither an address nor a network such as 10.1.0.0/16")
            }
            return network
        }
    }

    private static func redirect(_ settings: Settings, isOrdered: Bool) throws -> Endpoint? {
        guard settings.text(.httpRedirect) == nil else { return try settings.endpoint(.httpRedirect) }
        return isOrdered && settings.text(.http) == nil ? Endpoint(host: "0.0.0.0", port: 80) : nil
    }

    /// With the certificate of the API, where there is one.
    private static func inbound(
        _ settings: Settings, hostname: String, _ certificates: (any ListenerCertificate)?
    ) throws -> InboundMailConfiguration {
        let endpoint = try settings.endpoint(.feedbackListen)
        var configuration = InboundMailConfiguration(host: endpoint.host, port: endpoint.port, hostname: hostname)
        configuration.identity = try certificates?.mail()
        return configuration
    }

    /// - Parameter host: that a certificate is ordered for.
    private static func delivery(
        _ settings: Settings, http: Endpoint, host ordered: DomainName?, descriptors: FileDescriptorBudget,
        logger: Logger
    ) throws -> (DeliveryConfiguration, RoutesFile?) {
        let host = ProcessInfo.processInfo.hostName
        let helo = settings.text(.helo) ?? host
        guard (1...255).contains(helo.utf8.count), helo.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw SettingError(setting: .helo, problem: "the EHLO name is a host name without blanks")
        }
        var configuration = DeliveryConfiguration(node: settings.text(.node) ?? host, heloName: helo)
        configuration.smtpPort = try settings.number(.smtpPort, in: 1...65_535)
        configuration.allowsPrivateDestinations = try settings.flag(.allowPrivateDestinations)
        if configuration.allowsPrivateDestinations, !http.isLoopback, !(try settings.flag(.force)) {
            throw SettingError(
                setting: .allowPrivateDestinations,
                problem: "a public HTTP listener would let customers reach private hosts; --force insists")
        }
        if let publicURL = settings.text(.publicURL) {
            guard publicURL.hasPrefix("https://"), !publicURL.hasSuffix("/") else {
                throw SettingError(setting: .publicURL, problem: "starts with https:// and has no slash at its end")
            }
            configuration.publicURL = publicURL
        } else if let ordered {
            configuration.publicURL = "https://\(ordered)"
        } else {
            logger.notice("no public URL is set: messages carry no unsubscribe link")
        }
        configuration.feedbackSender = try feedbackSender(settings)
        configuration.namesFeedbackAddresses = try settings.flag(.feedbackAddresses)
        let base = try settings.number(.retryBase, in: 1...86_400)
        let longest = try settings.number(.retryMaximum, in: base...86_400)
        configuration.retry = RetrySchedule(baseSeconds: Double(base), maximumSeconds: Double(longest))
        configuration.refusals.isSoft = try settings.flag(.softBounce)
        configuration.refusals.mostAttempts = try settings.number(.blockAttempts, in: 1...1_000)
        configuration.accounting = try accounting(settings)
        let share = try settings.number(.blockShare, in: 0...100)
        configuration.refusals.brakeShare = share == 0 ? nil : Double(share) / 100
        configuration.inDoubtResends = try settings.number(.inDoubtResends, in: 0...10)
        configuration.deadAfterCampaigns = try settings.number(.suppressDeadAfter, in: 0...100)
        let least = try tlsRequirement(settings)
        configuration.tlsRequirement = least
        if let file = settings.text(.trustRoots) {
            guard FileManager.default.isReadableFile(atPath: file) else {
                throw SettingError(setting: .trustRoots, problem: "the file \(file) cannot be read")
            }
            configuration.trustRootsFile = file
        }
        switch least {
        case .opportunistic, .dane, .requireTLS: break
        case .encrypted: configuration.tls = .required(verify: false)
        case .verified: configuration.tls = .required(verify: true)
        }
        configuration.tlsReports = try tlsReports(settings)
        let tls = try smarthostTLS(settings)
        let routesFile = settings.text(.routes).map { RoutesFile(path: $0, tls: tls) }
        let routes = try Self.routes(settings)
        configuration.smarthosts = routes.smarthosts
        configuration.domains = routes.domains
        configuration.providers = try providers(settings.text(.providers))
        if let file = settings.text(.sources) {
            configuration.sources = try SourcesFile.read(file, ownAddresses: SourcesFile.ownAddresses())
        }
        configuration.smarthostLimits = LaneLimits(
            connections: try settings.number(.connections, in: 1...10_000),
            messagesPerConnection: 1_000, queueSeconds: 60)
        let connections = try settings.number(.maxConnections, in: 1...1_000_000)
        configuration.connections = min(connections, descriptors.delivery)
        if configuration.connections < connections {
            logger.warning(
                "fewer connections than set, because this process may open too few files",
                metadata: ["connections": "\(configuration.connections)", "setting": "\(connections)"])
        }
        configuration.leaseSeconds = try settings.number(.lease, in: 3...600)
        return (configuration, routesFile)
    }

    private static func feedbackSender(_ settings: Settings) throws -> FeedbackSender {
        let token = settings.value(.feedbackIDSender)
        guard let sender = FeedbackSender(token) else {
            throw SettingError(
                setting: .feedbackIDSender,
                problem: "\(token) is not 5 to 15 letters, digits, hyphens, underscores or dots")
        }
        return sender
    }

    private static func accounting(_ settings: Settings) throws -> AccountingLog.Settings? {
        let rotation = AccountingLogRotation(
            bytes: try settings.number(.accountingSize, in: 1...100_000) << 20,
            seconds: try settings.number(.accountingHours, in: 1...8_760) * 3_600,
            kept: try settings.number(.accountingKept, in: 1...1_000))
        let personalData = try settings.flag(.accountingPersonalData)
        guard let path = settings.text(.accountingLog) else {
            guard !personalData else {
                throw SettingError(
                    setting: .accountingPersonalData, problem: "there is no \(Setting.accountingLog.key) to write it to"
                )
            }
            return nil
        }
        return AccountingLog.Settings(path: path, personalData: personalData, rotation: rotation)
    }

    private static func tlsReports(_ settings: Settings) throws -> TLSReportSettings? {
        guard let text = settings.text(.tlsReportFrom) else { return nil }
        guard let sender = try? EmailAddress(text), !sender.needsSMTPUTF8 else {
            throw SettingError(setting: .tlsReportFrom, problem: "the sender is an address in ASCII")
        }
        return TLSReportSettings(sender: sender)
    }

    /// The built-in rules with the operator's file over them, where there is one.
    static func providers(_ file: String?) throws -> ProviderRules {
        guard let file else { return .builtIn }
        guard let text = OperatorFile.text(file) else {
            throw SettingError(setting: .providers, problem: "the file \(file) \(OperatorFile.cannotBeRead)")
        }
        do throws(YAMLError) {
            return try ProviderRules(operatorFile: text, named: file)
        } catch {
            throw SettingError(setting: .providers, problem: error.description)
        }
    }

    static func resolver(_ settings: Settings) throws -> ResolverConfiguration {
        var configuration = ResolverConfiguration(forwarders: nil)
        if let text = settings.text(.dns) {
            guard let server = DNSServer(text) else {
                throw SettingError(setting: .dns, problem: "the resolver is named by address:port")
            }
            configuration = ResolverConfiguration(forwarders: [server])
        }
        configuration.trustAnchorFile = settings.text(.trustAnchor)
        return configuration
    }
}
