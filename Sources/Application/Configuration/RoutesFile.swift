import Delivery
import Foundation
import MailTypes
import SMTPProtocol
import SMTPTransport
import StrictYAML
import TrafficShaping

/// The operator's file of smarthosts, and of rules for single domains.
///
///     routes:
///       - url: smtp://email-smtp.eu-central-1.example:587
///         user: AKIA5EXAMPLE
///         password_file: /etc/sluice/first.password
///         weight: 3
///       - {url: "smtps://smtp.example.net", user: us, password_variable: SECOND_PASSWORD, connections: 10}
///     domains:
///       partner.example: {via: "smtp://mail.partner.example:2525", tls: verified}
///       "*.example.org": {via: direct, family: ipv4}
struct RoutesFile: Sendable {
    static let maximumRoutes = 64

    let path: String
    /// The operator's general setting, nil if there is none.
    let tls: SMTPTLSPolicy?

    /// - Parameter environment: where passwords may stand.
    /// - Throws: `SettingError` with the place in the file.
    func read(environment: [String: String] = ProcessInfo.processInfo.environment) throws -> Routes {
        try OperatorFile.read(path, of: .routes) { root in
            let fields = try root.fields(["routes", "domains"])
            let list = fields["domains"] == nil ? try fields.required("routes") : fields["routes"]
            var routes = Routes()
            for entry in try list?.list(most: Self.maximumRoutes) ?? [] {
                let smarthost = try smarthost(entry, environment)
                guard routes.smarthost(named: smarthost.name) == nil else {
                    throw entry.error(.duplicate, "the route \(smarthost.name) is given twice")
                }
                routes.smarthosts.append(smarthost)
            }
            for (name, rule) in try fields["domains"]?.entries() ?? [] {
                try routes.add(name, rule, generalTLS: tls)
            }
            return routes
        }
    }

    private func smarthost(_ entry: YAMLValue, _ environment: [String: String]) throws(YAMLError) -> Smarthost {
        let fields = try entry.fields([
            "url", "user", "password_file", "password_variable", "tls", "connections", "weight", "family",
            "only_named",
        ])
        let url = try SmarthostURL(fields.required("url"))
        guard url.credentials == nil else {
            throw try fields.required("url").error(
                "has no login: it stands in user and password_file or password_variable")
        }
        var smarthost = try url.smarthost(
            credentials: Self.credentials(fields, environment), tls: Routes.policy(fields["tls"]) ?? tls,
            at: fields["tls"] ?? entry)
        smarthost.weight = try fields["weight"]?.number(1...1_000) ?? 1
        smarthost.connections = try fields["connections"]?.number(1...10_000)
        smarthost.family = try AddressFamily(fields["family"])
        smarthost.isOnlyNamed = try fields["only_named"]?.flag() ?? false
        return smarthost
    }

    private static func credentials(
        _ fields: YAMLFields, _ environment: [String: String]
    ) throws(YAMLError) -> SMTPCredentials? {
        let (file, variable) = (fields["password_file"], fields["password_variable"])
        guard let user = fields["user"] else {
            if let password = file ?? variable { throw password.nameError("needs a user") }
            return nil
        }
        guard let source = file ?? variable, file == nil || variable == nil else {
            throw user.error(.missingKey, "needs password_file or password_variable, one of them")
        }
        let name = try source.word()
        let password = file == nil ? environment[name] : OperatorFile.secret(name)
        guard let password, !password.isEmpty else { throw source.error("no password in \(name)") }
        return SMTPCredentials(username: try user.word(), password: password)
    }
}

extension Routes {
    /// As the TLS of a smarthost is named; nil where nothing is said.
    static func policy(_ value: YAMLValue?) throws(YAMLError) -> SMTPTLSPolicy? {
        switch try value?.word() {
        case nil: nil
        case "opportunistic": .opportunistic
        case "encrypted": .required(verify: false)
        case "verified": .required(verify: true)
        default: throw value!.error("opportunistic, encrypted or verified, on the way to a smarthost")
        }
    }
}

extension AddressFamily {
    /// - Parameter value: `any` where nothing is said.
    init(_ value: YAMLValue?) throws(YAMLError) {
        guard let value else {
            self = .any
            return
        }
        guard let family = AddressFamily(rawValue: try value.word()) else {
            throw value.error(Self.allCases.dropLast().map(\.rawValue).joined(separator: ", ") + " or ipv6_first")
        }
        self = family
    }
}
