import ArgumentParser
import Configuration
import OperatorAPI

/// Flags that tell where the data is: shared by all commands that open the databases.
struct DataOptions: ParsableArguments {
    @Option(name: .customLong("data"), help: "Data directory: private database, master key. [SLUICE_DATA]")
    var data: String?

    @Option(help: "PostgreSQL to use instead of the private one. [SLUICE_DATABASE_URL]")
    var databaseURL: String?

    @Option(
        help:
            "Database of wrapped keys; by default the records database's name with _vault. [SLUICE_VAULT_DATABASE_URL]")
    var vaultDatabaseURL: String?

    @Flag(
        help:
            "Use a PostgreSQL server that may lose what it has answered for, such as one with fsync off. [SLUICE_ALLOW_UNSAFE_DATABASE]"
    )
    var allowUnsafeDatabase = false

    @Option(help: "File of the master key, made on first use. [SLUICE_MASTER_KEY_FILE]")
    var masterKeyFile: String?

    @Option(name: .customLong("config"), help: "YAML file with the same settings, such as `data: /srv/sluice`.")
    var configurationFile: String?

    @Option(help: "trace, debug, info, notice, warning, error or critical. [SLUICE_LOG_LEVEL]")
    var logLevel: String?

    init() {}

    var values: [AbsoluteConfigKey: ConfigValue] {
        settings([
            "data": data, "databaseUrl": databaseURL, "vaultDatabaseUrl": vaultDatabaseURL,
            "masterKeyFile": masterKeyFile, "logLevel": logLevel,
            "allowUnsafeDatabase": allowUnsafeDatabase ? "true" : nil,
        ])
    }
}

/// How commands find a running server.
struct OperatorOptions: ParsableArguments {
    @OptionGroup var data: DataOptions

    @Option(
        name: .customLong("operator-socket"),
        help: "The server's unix socket. [SLUICE_OPERATOR_SOCKET, operator.sock in the data directory]")
    var socket: String?

    init() {}

    func client() async throws -> OperatorClient {
        let flags = data.values.merging(settings(["operatorSocket": socket])) { $1 }
        let settings = try await Settings(flags: flags, file: data.configurationFile)
        return OperatorClient(socket: settings.operatorSocket)
    }
}

/// Flags of a running server.
struct ServerOptions: ParsableArguments {
    @Option(help: "Address and port of the HTTP API. [SLUICE_HTTP, 127.0.0.1:8025]")
    var http: String?

    @Option(
        name: .customLong("operator"),
        help: "Loopback address and port on which monitors may read /metrics and /status. [SLUICE_OPERATOR, none]")
    var operatorEndpoint: String?

    @Option(
        help: "Unix socket of sluice top, lane and trace. [SLUICE_OPERATOR_SOCKET, operator.sock in the data directory]"
    )
    var operatorSocket: String?

    @Option(help: "What this node does: api, delivery or both. [SLUICE_ROLES]")
    var roles: String?

    @Option(help: "Name of this node; leases are held under it. [SLUICE_NODE, the host name]")
    var node: String?

    @Option(help: "Name given in EHLO; should resolve to the sending address and back. [SLUICE_HELO]")
    var helo: String?

    @Option(help: "Send all mail to one host: smtp[s]://[user:password@]host:port. [SLUICE_ROUTE]")
    var route: String?

    @Option(help: "YAML file of smarthosts that stand in for each other, and of rules for domains. [SLUICE_ROUTES]")
    var routes: String?

    @Option(help: "Ask this resolver, as address:port, instead of the system's. [SLUICE_DNS]")
    var dns: String?

    @Option(help: "Port of the recipients' mail servers, for tests. [SLUICE_SMTP_PORT, 25]")
    var smtpPort: Int?

    @Flag(help: "Connect to loopback and private addresses as well. [SLUICE_ALLOW_PRIVATE_DESTINATIONS]")
    var allowPrivateDestinations = false

    @Flag(help: "Allow private destinations and trusted domains even with a public HTTP listener. [SLUICE_FORCE]")
    var force = false

    @Flag(
        help:
            "Take every registered sending domain for proven: for sinks, demos and tests only. [SLUICE_TRUST_DOMAINS]")
    var trustDomains = false

    @Option(help: "https address under which recipients reach this server, for unsubscribe links. [SLUICE_PUBLIC_URL]")
    var publicURL: String?

    @Option(
        help: "Who sends, the last part of Feedback-ID: 5 to 15 letters and digits. [SLUICE_FEEDBACK_ID_SENDER, sluice]"
    )
    var feedbackIDSender: String?

    @Option(help: "Seconds before the first retry of a deferred recipient; doubles each time. [SLUICE_RETRY_BASE, 600]")
    var retryBase: Int?

    @Option(help: "Longest wait before a retry, in seconds. [SLUICE_RETRY_MAXIMUM, 14400]")
    var retryMaximum: Int?

    @Flag(help: "Bounce nothing: permanent refusals are tried again, for the first day. [SLUICE_SOFT_BOUNCE]")
    var softBounce = false

    @Option(help: "Write a JSON line for each attempt to this file. [SLUICE_ACCOUNTING_LOG, none]")
    var accountingLog: String?

    @Flag(help: "Write addresses and replies into the accounting log as they are. [SLUICE_ACCOUNTING_PERSONAL_DATA]")
    var accountingPersonalData = false

    @Option(help: "Size in MiB at which the accounting log is rotated. [SLUICE_ACCOUNTING_SIZE, 100]")
    var accountingSize: Int?

    @Option(help: "Hours after which the accounting log is rotated. [SLUICE_ACCOUNTING_HOURS, 24]")
    var accountingHours: Int?

    @Option(help: "Rotated accounting logs to keep. [SLUICE_ACCOUNTING_KEPT, 10]")
    var accountingKept: Int?

    @Option(
        help:
            "Attempts after which a refusal that is about the sender bounces its recipient. [SLUICE_BLOCK_ATTEMPTS, 10]"
    )
    var blockAttempts: Int?

    @Option(
        help:
            "Percentage of a campaign's answers that are refusals about its sender and pause it; 0: never. [SLUICE_BLOCK_SHARE, 30]"
    )
    var blockShare: Int?

    @Option(
        help:
            "How often a mail is sent again whose answer was lost, 0 to 10, before it ends in doubt. [SLUICE_IN_DOUBT_RESENDS, 1]"
    )
    var inDoubtResends: Int?

    @Option(
        help:
            "Campaigns that must find a mailbox disabled, or its domain dead, until it is suppressed; 0: never. [SLUICE_SUPPRESS_DEAD_AFTER, 3]"
    )
    var suppressDeadAfter: Int?

    @Option(
        help: "Connections to each route at once; for recipients' own servers see --providers. [SLUICE_CONNECTIONS, 64]"
    )
    var connections: Int?

    @Option(help: "Connections of this node at once, all sites together. [SLUICE_MAX_CONNECTIONS, 4096]")
    var maxConnections: Int?

    @Option(
        help:
            "Seconds after which other nodes take over the work of a node that stands still, 3 to 600. [SLUICE_LEASE, 30]"
    )
    var lease: Int?

    @Option(help: "Days after which a draft that nobody has sent is given up, 1 to 3650. [SLUICE_DRAFT_DAYS, 30]")
    var draftDays: Int?

    @Option(
        help:
            "Seconds for which outcomes can be read after a campaign's end, before its data is destroyed; 0: not at all. [SLUICE_RESULTS_FOR, 86400]"
    )
    var resultsFor: Int?

    @Option(help: "YAML file of provider rules over the built-in ones. [SLUICE_PROVIDERS]")
    var providers: String?

    @Option(help: "YAML file of this machine's source addresses, by pool. [SLUICE_SOURCES]")
    var sources: String?

    @Option(help: "Least TLS of outgoing mail: opportunistic, encrypted, verified or dane. [SLUICE_TLS, opportunistic]")
    var tls: String?

    @Option(help: "File of DNSSEC trust anchors; turns DANE on. [SLUICE_TRUST_ANCHOR]")
    var trustAnchor: String?

    @Option(help: "Whether receivers' MTA-STS policies are obeyed: true or false. [SLUICE_MTA_STS, true]")
    var mtaSTS: Bool?

    @Option(
        name: .customLong("tls-report-from"),
        help: "Sender of reports on receivers' TLS, at a sending domain. [SLUICE_TLS_REPORT_FROM, none: no reports]")
    var tlsReportFrom: String?

    @Option(help: "Certificate chain of the HTTP API, PEM. [SLUICE_TLS_CERTIFICATE]")
    var tlsCertificate: String?

    @Option(help: "Private key of the HTTP API, PEM. [SLUICE_TLS_KEY]")
    var tlsKey: String?

    @Option(
        help: "PEM file of the authorities that certify mail servers, in place of the system's. [SLUICE_TRUST_ROOTS]")
    var trustRoots: String?

    init() {}

    var values: [AbsoluteConfigKey: ConfigValue] {
        settings([
            "http": http, "operator": operatorEndpoint, "operatorSocket": operatorSocket, "roles": roles, "node": node,
            "helo": helo, "route": route, "routes": routes, "dns": dns,
            "smtpPort": smtpPort.map(String.init), "allowPrivateDestinations": allowPrivateDestinations ? "true" : nil,
            "force": force ? "true" : nil, "trustDomains": trustDomains ? "true" : nil,
            "publicUrl": publicURL, "feedbackIdSender": feedbackIDSender,
            "retryBase": retryBase.map(String.init),
            "retryMaximum": retryMaximum.map(String.init), "inDoubtResends": inDoubtResends.map(String.init),
            "suppressDeadAfter": suppressDeadAfter.map(String.init),
            "accountingLog": accountingLog,
            "accountingPersonalData": accountingPersonalData ? "true" : nil,
            "accountingSize": accountingSize.map(String.init), "accountingHours": accountingHours.map(String.init),
            "accountingKept": accountingKept.map(String.init),
            "softBounce": softBounce ? "true" : nil, "blockAttempts": blockAttempts.map(String.init),
            "blockShare": blockShare.map(String.init), "connections": connections.map(String.init),
            "maxConnections": maxConnections.map(String.init), "lease": lease.map(String.init), "providers": providers,
            "sources": sources, "tls": tls,
            "trustAnchor": trustAnchor, "trustRoots": trustRoots,
            "tlsReportFrom": tlsReportFrom, "mtaSts": mtaSTS.map(String.init), "tlsCertificate": tlsCertificate,
            "tlsKey": tlsKey, "draftDays": draftDays.map(String.init), "resultsFor": resultsFor.map(String.init),
        ])
    }
}

/// Those that were given, as the strongest source of ``Settings``.
func settings(_ values: [String: String?]) -> [AbsoluteConfigKey: ConfigValue] {
    values.reduce(into: [:]) { settings, pair in
        guard let value = pair.value else { return }
        settings[AbsoluteConfigKey([pair.key])] = ConfigValue(.string(value), isSecret: false)
    }
}
