import ArgumentParser

/// Everything that can be set, and the only place where a setting is named.
///
/// The key of the YAML file is the name here. Flag and environment variable follow from it: `public_url` is
/// `--public-url` and `SLUICE_PUBLIC_URL`. docs/operators/configuration.md has a row for each.
enum Setting: String, CaseIterable, Sendable {
    // Where the data is: all commands that open the databases.
    case data
    case databaseURL = "database_url"
    case vaultDatabaseURL = "vault_database_url"
    case allowUnsafeDatabase = "allow_unsafe_database"
    case masterKeyFile = "master_key_file"
    case masterKey = "master_key"
    case logLevel = "log_level"
    case logFormat = "log_format"

    // The listeners of a server, and its name.
    case http
    case tlsCertificate = "tls_certificate"
    case tlsKey = "tls_key"
    case acme
    case acmeDirectory = "acme_directory"
    case acmeContact = "acme_contact"
    case acmeRoots = "acme_roots"
    case httpRedirect = "http_redirect"
    case trustedProxies = "trusted_proxies"
    case corsOrigin = "cors_origin"
    case requestsPerMinute = "requests_per_minute"
    case userRequestsPerMinute = "user_requests_per_minute"
    case publicURL = "public_url"
    case installationMailAccount = "installation_mail_account"
    case installationMailFrom = "installation_mail_from"
    case newDeviceCodes = "new_device_codes"
    case signUpsPerDay = "sign_ups_per_day"
    case feedbackListen = "feedback_listen"
    case operatorSocket = "operator_socket"
    case operatorEndpoint = "operator"
    case roles
    case node

    // How it sends.
    case helo
    case feedbackIDSender = "feedback_id_sender"
    case feedbackAddresses = "feedback_addresses"
    case route
    case routes
    case sources
    case providers
    case dns
    case connections
    case maxConnections = "max_connections"
    case retryBase = "retry_base"
    case retryMaximum = "retry_maximum"
    case softBounce = "soft_bounce"
    case blockAttempts = "block_attempts"
    case blockShare = "block_share"
    case complaintBrake = "complaint_brake"
    case bounceBrake = "bounce_brake"
    case brakeVolume = "brake_volume"
    case brakeHours = "brake_hours"
    case brakeRate = "brake_rate"
    case inDoubtResends = "in_doubt_resends"
    case suppressDeadAfter = "suppress_dead_after"
    case lease
    case batchSigner = "batch_signer"
    case batchSignerLibrary = "batch_signer_library"

    // TLS of outgoing mail.
    case tls
    case trustAnchor = "trust_anchor"
    case trustRoots = "trust_roots"
    case mtaSTS = "mta_sts"
    case tlsReportFrom = "tls_report_from"

    // What is written down, and kept.
    case accountingLog = "accounting_log"
    case accountingPersonalData = "accounting_personal_data"
    case accountingSize = "accounting_size"
    case accountingHours = "accounting_hours"
    case accountingKept = "accounting_kept"
    case draftDays = "draft_days"
    case resultsFor = "results_for"
    case refundFor = "refund_for"

    // For tests and demos.
    case smtpPort = "smtp_port"
    case allowPrivateDestinations = "allow_private_destinations"
    case trustDomains = "trust_domains"
    case force

    /// In the YAML file, and in errors.
    var key: String { rawValue }

    /// `public-url`, without the hyphens before it. The master key has no flag: who lists processes sees flags.
    var flag: String? { self == .masterKey ? nil : key.replacing("_", with: "-") }

    var variable: String { "SLUICE_" + key.uppercased() }

    /// What holds where nothing is said.
    enum Fallback {
        /// Read like a given value.
        case value(String)
        /// Nothing, or what is found out at the start; in the words of the help.
        case words(String)
        /// Nothing that has to be said.
        case nothing
    }

    /// The value that is read where none is given; nil where there is none that is known beforehand.
    var defaultValue: String? {
        guard case .value(let value) = fallback else { return nil }
        return value
    }

    /// For a flag or option that is called like the setting.
    var name: NameSpecification { .customLong(flag ?? key) }

    var help: ArgumentHelp {
        let shown: String? =
            switch fallback {
            case .value("false"), .nothing: nil
            case .value(let text), .words(let text): text
            }
        return ArgumentHelp("\(summary) [\([variable, shown].compactMap(\.self).joined(separator: ", "))]")
    }
}
