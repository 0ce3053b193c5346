import ArgumentParser

/// Flags of a running server.
struct ServerOptions: ParsableArguments {
    @Option(.http) var http: String?
    @Option(.feedbackListen) var feedbackListen: String?
    @Option(.operatorEndpoint) var operatorEndpoint: String?
    @Option(.operatorSocket) var operatorSocket: String?
    @Option(.roles) var roles: String?
    @Option(.node) var node: String?
    @Option(.helo) var helo: String?
    @Option(.route) var route: String?
    @Option(.routes) var routes: String?
    @Option(.dns) var dns: String?
    @Option(.smtpPort) var smtpPort: Int?
    @Flag(.allowPrivateDestinations) var allowPrivateDestinations = false
    @Flag(.force) var force = false
    @Flag(.trustDomains) var trustDomains = false
    @Option(.publicURL) var publicURL: String?
    @Option(.installationMailAccount) var installationMailAccount: String?
    @Option(.installationMailFrom) var installationMailFrom: String?
    @Option(.newDeviceCodes) var newDeviceCodes: Bool?
    @Option(.signUpsPerDay) var signUpsPerDay: Int?
    @Option(.feedbackIDSender) var feedbackIDSender: String?
    @Option(.feedbackAddresses) var feedbackAddresses: Bool?
    @Option(.retryBase) var retryBase: Int?
    @Option(.retryMaximum) var retryMaximum: Int?
    @Flag(.softBounce) var softBounce = false
    @Option(.accountingLog) var accountingLog: String?
    @Flag(.accountingPersonalData) var accountingPersonalData = false
    @Option(.accountingSize) var accountingSize: Int?
    @Option(.accountingHours) var accountingHours: Int?
    @Option(.accountingKept) var accountingKept: Int?
    @Option(.blockAttempts) var blockAttempts: Int?
    @Option(.blockShare) var blockShare: Int?
    @Option(.complaintBrake) var complaintBrake: String?
    @Option(.bounceBrake) var bounceBrake: String?
    @Option(.brakeVolume) var brakeVolume: Int?
    @Option(.brakeHours) var brakeHours: Int?
    @Option(.brakeRate) var brakeRate: Int?
    @Option(.inDoubtResends) var inDoubtResends: Int?
    @Option(.suppressDeadAfter) var suppressDeadAfter: Int?
    @Option(.connections) var connections: Int?
    @Option(.maxConnections) var maxConnections: Int?
    @Option(.lease) var lease: Int?
    @Option(.batchSigner) var batchSigner: String?
    @Option(.batchSignerLibrary) var batchSignerLibrary: String?
    @Option(.draftDays) var draftDays: Int?
    @Option(.resultsFor) var resultsFor: Int?
    @Option(.refundFor) var refundFor: Int?
    @Option(.providers) var providers: String?
    @Option(.sources) var sources: String?
    @Option(.tls) var tls: String?
    @Option(.trustAnchor) var trustAnchor: String?
    @Option(.mtaSTS) var mtaSTS: Bool?
    @Option(.tlsReportFrom) var tlsReportFrom: String?
    @Option(.tlsCertificate) var tlsCertificate: String?
    @Option(.tlsKey) var tlsKey: String?
    @Option(.acme) var acme: [String] = []
    @Option(.acmeDirectory) var acmeDirectory: String?
    @Option(.acmeContact) var acmeContact: [String] = []
    @Option(.acmeRoots) var acmeRoots: String?
    @Option(.httpRedirect) var httpRedirect: String?
    @Option(.trustedProxies) var trustedProxies: String?
    @Option(.corsOrigin) var corsOrigin: [String] = []
    @Option(.requestsPerMinute) var requestsPerMinute: Int?
    @Option(.userRequestsPerMinute) var userRequestsPerMinute: Int?
    @Option(.trustRoots) var trustRoots: String?

    init() {}

    var values: [Setting: String] { listening.merging(sending) { $1 }.merging(kept) { $1 } }

    private var listening: [Setting: String] {
        .init(given: [
            .http: http, .feedbackListen: feedbackListen, .operatorEndpoint: operatorEndpoint,
            .operatorSocket: operatorSocket, .roles: roles,
            .node: node, .publicURL: publicURL, .tlsCertificate: tlsCertificate, .tlsKey: tlsKey,
            .httpRedirect: httpRedirect, .trustedProxies: trustedProxies,
            .requestsPerMinute: requestsPerMinute, .userRequestsPerMinute: userRequestsPerMinute,
            .acme: acme.joinedValue, .acmeDirectory: acmeDirectory,
            .acmeContact: acmeContact.joinedValue, .acmeRoots: acmeRoots, .corsOrigin: corsOrigin.joinedValue,
            .installationMailAccount: installationMailAccount, .installationMailFrom: installationMailFrom,
            .newDeviceCodes: newDeviceCodes.map(String.init), .signUpsPerDay: signUpsPerDay,
        ])
    }

    private var sending: [Setting: String] {
        .init(given: [
            .helo: helo, .feedbackIDSender: feedbackIDSender,
            .feedbackAddresses: feedbackAddresses.map(String.init), .route: route, .routes: routes, .sources: sources,
            .providers: providers, .dns: dns, .connections: connections, .maxConnections: maxConnections,
            .retryBase: retryBase, .retryMaximum: retryMaximum, .softBounce: softBounce,
            .blockAttempts: blockAttempts, .blockShare: blockShare, .inDoubtResends: inDoubtResends,
            .complaintBrake: complaintBrake, .bounceBrake: bounceBrake, .brakeVolume: brakeVolume,
            .brakeHours: brakeHours, .brakeRate: brakeRate,
            .suppressDeadAfter: suppressDeadAfter, .lease: lease,
            .batchSigner: batchSigner, .batchSignerLibrary: batchSignerLibrary, .tls: tls, .trustAnchor: trustAnchor,
            .trustRoots: trustRoots, .mtaSTS: mtaSTS.map(String.init), .tlsReportFrom: tlsReportFrom,
            .smtpPort: smtpPort,
            .allowPrivateDestinations: allowPrivateDestinations, .trustDomains: trustDomains, .force: force,
        ])
    }

    private var kept: [Setting: String] {
        .init(given: [
            .accountingLog: accountingLog, .accountingPersonalData: accountingPersonalData,
            .accountingSize: accountingSize, .accountingHours: accountingHours, .accountingKept: accountingKept,
            .draftDays: draftDays, .resultsFor: resultsFor, .refundFor: refundFor,
        ])
    }
}
