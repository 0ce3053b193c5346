import MailSigning

/// What mail is sent, and how.
struct Scenario: Encodable, Sendable {
    enum Key: String, Encodable, CaseIterable {
        case rsa, ed25519
        /// A signature of each.
        case both
        case none

        var algorithms: [DKIMKey.Algorithm] {
            switch self {
            case .rsa: [.rsaSHA256]
            case .ed25519: [.ed25519SHA256]
            case .both: [.rsaSHA256, .ed25519SHA256]
            case .none: []
            }
        }

        /// For tables.
        var text: String { self == .both ? "rsa and ed25519" : rawValue }
    }

    /// How RSA signatures are made.
    enum Signer: String, Encodable, CaseIterable {
        /// As a server does by itself.
        case auto
        /// One by one.
        case libcrypto
        /// Eight at a time, or not at all.
        case batch
        /// Eight lanes of libcrypto: they are filled as those of a library are, on any machine.
        case lanes

        var settings: [Setting: String] {
            switch self {
            case .auto: [:]
            case .libcrypto: [.batchSigner: BatchSigner.Mode.off.rawValue]
            case .batch: [.batchSigner: BatchSigner.Mode.require.rawValue]
            case .lanes:
                [.batchSigner: BatchSigner.Mode.require.rawValue, .batchSignerLibrary: BatchSigner.standIn]
            }
        }
    }

    var messages: Int
    /// Bytes of a message as sent, roughly.
    var size = 4_096
    var fields = 10
    var key = Key.rsa
    var signer = Signer.auto
    /// Path of crypto_mb; nil for the loader to find it.
    var signerLibrary: String?
    var tls = false
    var connections = 64
    /// Sites found by DNS; nil: one route.
    var sites: Int?
    /// The sites are tenants of one provider, which takes so many connections in all; nil: each is its own.
    var providerConnections: Int?
    var faults = Faults()
    /// Accounts that send at once, each with its own key and an equal share of the messages.
    var accounts = 1
    /// A webhook on this machine is told of every event.
    var webhook = false
    /// Messages sent before the measurement.
    var warmUp = 1_000

    /// What the sink does besides taking mail.
    struct Faults: Encodable, Sendable {
        /// Of all recipients, 0…1.
        var bounceShare = 0.0
        /// Put off once.
        var deferShare = 0.0
        /// Of all recipients: the reply comes half a second late.
        var slowShare = 0.0
        /// Taken, but without a reply to the first attempt.
        var dropShare = 0.0

        /// What the local part of a recipient begins with, spread evenly over all.
        func localPart(_ index: Int) -> String {
            let place = Double(index &* 7_919 % 10_000) / 10_000
            if place < dropShare { return "drop-after-dot+" }
            if place < dropShare + slowShare { return "slow+" }
            return "reader"
        }
    }

    var signerSettings: [Setting: String] {
        var settings = signer.settings
        if let signerLibrary { settings[.batchSignerLibrary] = signerLibrary }
        return settings
    }

    var sinkArguments: [String] {
        var arguments = tls ? ["--starttls"] : []
        if faults.deferShare + faults.bounceShare > 0 {
            arguments += ["--defer-share", "\(faults.deferShare)", "--bounce-share", "\(faults.bounceShare)"]
        }
        if faults.slowShare > 0 { arguments += ["--slow-ms", "500"] }
        return arguments
    }

    /// - Parameter localPart: what all local parts begin with; nil: what the faults ask for.
    func recipients(_ count: Int, localPart: String? = nil) -> DemoRecipients {
        var recipients = DemoRecipients(count: count, variables: fields)
        recipients.sites = sites
        recipients.localPart = { [faults] in localPart ?? faults.localPart($0) }
        return recipients
    }

    /// The campaign's JSON: filler text around the merge fields, up to the size asked for.
    func campaign(from domain: String) -> String {
        var html = "<html><body><h1>Hello {{name}}</h1><p>{{city}} {{points}}</p>"
        for number in 2..<fields { html += "<p>{{field\(number)}}</p>" }
        // Header and signature take some 1,400 bytes.
        while html.utf8.count < size - 1_400 { html += Self.sentence }
        html += "</body></html>"
        return """
            {"from":"City Library <news@\(domain)>","subject":"{{name}}, your points","html":"\(html)","text_part":"none"}
            """
    }

    static let sentence = "<p>The reading room opens at nine and closes when the last reader leaves for home.</p>"

    var text: String {
        let place =
            switch (sites, providerConnections) {
            case (let sites?, let most?): "\(sites) tenants of a provider that takes \(most) connections"
            case (let sites?, nil): "\(sites) sites found by DNS"
            case (nil, _): "\(connections) connections to one route"
            }
        let senders = accounts == 1 ? "" : "\(accounts) accounts, "
        return "\(senders)\(fields) fields, \(key.text), \(tls ? "STARTTLS" : "plaintext"), \(place)"
    }
}
