import ACME

extension Setting {
    /// What it is, in a sentence or two for the help.
    var summary: String {
        switch self {
        case .data: "Data directory: private database, master key."
        case .databaseURL: "PostgreSQL to use instead of the private one."
        case .vaultDatabaseURL: "Database of wrapped keys; by default the records database's name with _vault."
        case .allowUnsafeDatabase:
            "Use a PostgreSQL server that may lose what it has answered for, or that is reached without TLS."
        case .masterKeyFile: "File of the master key, made on first use."
        case .masterKey: "The master key itself."
        case .logLevel: "trace, debug, info, notice, warning, error or critical."
        case .logFormat: "How log lines look: text, or json with one object a line."
        case .http: "Address and port of the HTTP API."
        case .tlsCertificate: "Certificate chain of the HTTP API and of the return paths' mail server, PEM."
        case .tlsKey: "Private key of both, PEM."
        case .acme:
            "Host names to order a certificate for, with commas or repeated, from the authority of acme_directory, whose "
                + "terms you accept. HTTP is then served at 0.0.0.0:443 and redirected at 0.0.0.0:80 if nothing else is said."
        case .acmeDirectory: "Directory of the authority (RFC 8555)."
        case .acmeContact: "Mail addresses that the authority may write to, with commas or repeated."
        case .acmeRoots:
            "PEM file of the authorities that certify the authority's own server, in place of the system's."
        case .httpRedirect:
            "Address and port of plain HTTP beside TLS: pages are redirected to the public URL, calls are refused."
        case .trustedProxies:
            "Addresses and networks of the proxies before the API, with commas; only theirs are X-Forwarded-For and -Proto "
                + "believed."
        case .corsOrigin:
            "Web pages that may call the API from a browser, such as https://app.example.com, with commas or repeated."
        case .requestsPerMinute:
            "Requests of an API key in a minute, all nodes together, where it has no limit of its own; 0: no limit."
        case .userRequestsPerMinute:
            "Requests of a person who has signed in, in a minute, all sessions and nodes together; 0: no limit."
        case .publicURL: "https address under which recipients reach this server, for unsubscribe links."
        case .installationMailAccount:
            "Number of the account that sends invitations and codes: its domain, its credits. With installation_mail_from."
        case .installationMailFrom: "Sender of these mails, at a proven domain of that account."
        case .newDeviceCodes:
            "Whether people who sign in with a new browser are mailed a code, where there is a sender: true or false."
        case .signUpsPerDay:
            "Requests of strangers for an account of their own that are taken within a day, all nodes together; 0: nobody signs up."
        case .feedbackListen: "Address and port on which a node with the role feedback takes in mail."
        case .operatorSocket: "Unix socket of sluice top, lane and trace."
        case .operatorEndpoint: "Loopback address and port on which monitors may read /metrics and /status."
        case .roles: "What this node does, one or several of api, delivery and feedback."
        case .node: "Name of this node; leases are held under it."
        case .helo: "Name given in EHLO; should resolve to the sending address and back."
        case .feedbackIDSender: "Who sends, the last part of Feedback-ID: 5 to 15 letters and digits."
        case .feedbackAddresses:
            "Whether messages name addresses at the return path for complaints and unsubscribing: true or false."
        case .route: "Send all mail to one host: smtp[s]://[user:password@]host:port."
        case .routes: "YAML file of smarthosts that stand in for each other, and of rules for domains."
        case .sources: "YAML file of this machine's source addresses, by pool."
        case .providers: "YAML file of provider rules over the built-in ones."
        case .dns: "Ask this resolver, as address:port, instead of the system's."
        case .connections: "Connections to each route at once; for recipients' own servers see --providers."
        case .maxConnections: "Connections of this node at once, all sites together."
        case .retryBase: "Seconds before the first retry of a deferred recipient; doubles each time."
        case .retryMaximum: "Longest wait before a retry, in seconds."
        case .softBounce: "Bounce nothing: permanent refusals are tried again, for the first day."
        case .blockAttempts: "Attempts after which a refusal that is about the sender bounces its recipient."
        case .blockShare:
            "Percentage of a campaign's answers that are refusals about its sender and pause it; 0: never."
        case .complaintBrake:
            "Percentages of complaints at which a campaign is warned of, slowed and paused; off: never."
        case .bounceBrake:
            "Percentages of addresses that do not exist at which a campaign is warned of, slowed and paused; off: never."
        case .brakeVolume: "Messages in the window below which nothing is braked."
        case .brakeHours: "Hours of the window in which complaints and bounces count, 1 to 168."
        case .brakeRate: "Messages an hour of a campaign that is slowed."
        case .inDoubtResends: "How often a mail is sent again whose answer was lost, 0 to 10, before it ends in doubt."
        case .suppressDeadAfter:
            "Campaigns that must find a mailbox disabled, or its domain dead, until it is suppressed; 0: never."
        case .lease: "Seconds after which other nodes take over the work of a node that stands still, 3 to 600."
        case .batchSigner:
            "Whether RSA signatures are made eight at a time: off, auto where this machine gains by it, or require."
        case .batchSignerLibrary: "Path of crypto_mb, which makes them."
        case .tls: "Least TLS of outgoing mail: opportunistic, encrypted, verified or dane."
        case .trustAnchor: "File of DNSSEC trust anchors; turns DANE on."
        case .trustRoots: "PEM file of the authorities that certify mail servers, in place of the system's."
        case .mtaSTS: "Whether receivers' MTA-STS policies are obeyed: true or false."
        case .tlsReportFrom: "Sender of reports on receivers' TLS, at a sending domain."
        case .accountingLog: "Write a JSON line for each attempt to this file."
        case .accountingPersonalData: "Write addresses and replies into the accounting log as they are."
        case .accountingSize: "Size in MiB at which the accounting log is rotated."
        case .accountingHours: "Hours after which the accounting log is rotated."
        case .accountingKept: "Rotated accounting logs to keep."
        case .draftDays: "Days after which a draft that nobody has sent is given up, 1 to 3650."
        case .resultsFor:
            "Seconds for which outcomes can be read after a campaign's end, before its data is destroyed; 0: not "
                + "at all."
        case .refundFor:
            "Seconds after a campaign's end in which a bounce that comes back gives its credit back; 0: none does."
        case .smtpPort: "Port of the recipients' mail servers, for tests."
        case .allowPrivateDestinations: "Connect to loopback and private addresses as well."
        case .trustDomains: "Take every registered sending domain for proven: for sinks, demos and tests only."
        case .force:
            "Allow private destinations, trusted domains and plain HTTP even with a public HTTP listener."
        }
    }

    /// What holds where nothing is said.
    var fallback: Fallback {
        switch self {
        case .allowUnsafeDatabase, .softBounce, .accountingPersonalData,
            .allowPrivateDestinations, .trustDomains, .force:
            .value("false")
        case .logLevel: .value("notice")
        case .logFormat: .value("text")
        case .http: .value("127.0.0.1:8025")
        case .feedbackListen: .value("0.0.0.0:25")
        case .operatorSocket: .words("operator.sock in the data directory")
        case .operatorEndpoint, .accountingLog, .httpRedirect, .trustedProxies, .acme, .acmeContact, .corsOrigin,
            .installationMailAccount, .installationMailFrom:
            .words("none")
        case .acmeDirectory: .value(Authority.publicDirectory)
        case .roles: .value("api,delivery")
        case .node, .helo: .words("the host name")
        case .feedbackIDSender: .value("sluice")
        case .connections: .value("64")
        case .requestsPerMinute: .value("60")
        case .userRequestsPerMinute: .value("600")
        case .signUpsPerDay: .value("0")
        case .maxConnections: .value("4096")
        case .retryBase: .value("600")
        case .retryMaximum: .value("14400")
        case .blockAttempts, .accountingKept: .value("10")
        case .blockShare, .lease, .draftDays: .value("30")
        case .complaintBrake: .value("0.1,0.2,0.3")
        case .bounceBrake: .value("2,5,10")
        case .brakeVolume: .value("500")
        case .brakeHours: .value("24")
        case .brakeRate: .value("1000")
        case .inDoubtResends: .value("1")
        case .suppressDeadAfter: .value("3")
        case .batchSigner: .value("auto")
        case .batchSignerLibrary: .words("where the loader finds it")
        case .tls: .value("opportunistic")
        case .feedbackAddresses, .mtaSTS, .newDeviceCodes: .value("true")
        case .tlsReportFrom: .words("none: no reports")
        case .accountingSize: .value("100")
        case .accountingHours: .value("24")
        case .resultsFor: .value("86400")
        case .refundFor: .value("259200")
        case .smtpPort: .value("25")
        case .data, .databaseURL, .vaultDatabaseURL, .masterKeyFile, .masterKey, .tlsCertificate, .tlsKey,
            .publicURL, .route, .routes, .sources, .providers, .dns, .trustAnchor, .trustRoots, .acmeRoots:
            .nothing
        }
    }
}
