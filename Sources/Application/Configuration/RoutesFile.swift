import Delivery
import Foundation
import MailTypes
import SMTPProtocol
import SMTPTransport
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

    struct Content: Decodable {
        let routes: [Entry]?
        let domains: [String: DomainEntry]?

        enum CodingKeys: String, CodingKey, CaseIterable {
            case routes, domains
        }

        init(from decoder: any Decoder) throws {
            try decoder.refuseUnknownKeys(CodingKeys.self)
            let values = try decoder.container(keyedBy: CodingKeys.self)
            domains = try values.decodeIfPresent([String: DomainEntry].self, forKey: .domains)
            routes =
                domains == nil
                ? try values.decode([Entry].self, forKey: .routes)
                : try values.decodeIfPresent([Entry].self, forKey: .routes)
        }
    }

    struct Entry: Decodable {
        /// Where it stands in the file.
        let place: [any CodingKey]
        let url: String
        let user: String?
        let passwordFile: String?
        let passwordVariable: String?
        let tls: String?
        let connections: Int?
        let weight: Int?
        let family: String?
        let onlyNamed: Bool?

        enum CodingKeys: String, CodingKey, CaseIterable {
            case url, user, tls, connections, weight, family
            case onlyNamed = "only_named"
            case passwordFile = "password_file"
            case passwordVariable = "password_variable"
        }

        init(from decoder: any Decoder) throws {
            try decoder.refuseUnknownKeys(CodingKeys.self)
            let values = try decoder.container(keyedBy: CodingKeys.self)
            place = decoder.codingPath
            url = try values.decode(String.self, forKey: .url)
            user = try values.decodeIfPresent(String.self, forKey: .user)
            passwordFile = try values.decodeIfPresent(String.self, forKey: .passwordFile)
            passwordVariable = try values.decodeIfPresent(String.self, forKey: .passwordVariable)
            tls = try values.decodeIfPresent(String.self, forKey: .tls)
            connections = try values.decodeIfPresent(Int.self, forKey: .connections)
            weight = try values.decodeIfPresent(Int.self, forKey: .weight)
            family = try values.decodeIfPresent(String.self, forKey: .family)
            onlyNamed = try values.decodeIfPresent(Bool.self, forKey: .onlyNamed)
        }
    }

    /// What is wrong with one key of an entry.
    private struct Mistake: Error {
        let key: Entry.CodingKeys
        let problem: String

        init(_ key: Entry.CodingKeys, _ problem: String) {
            self.key = key
            self.problem = problem
        }
    }

    /// - Parameter environment: where passwords may stand.
    /// - Throws: `SettingError` with the place in the file.
    func read(environment: [String: String] = ProcessInfo.processInfo.environment) throws -> Routes {
        let file = try StrictYAML<Content>(path, setting: "routes")
        let entries = file.content.routes
        guard entries.map({ (1...Self.maximumRoutes).contains($0.count) }) ?? true else {
            throw file.error(at: [Content.CodingKeys.routes], "has 1 to \(Self.maximumRoutes) entries")
        }
        var routes = Routes()
        for entry in entries ?? [] {
            do throws(Mistake) {
                let route = try route(entry, environment)
                guard routes.smarthost(named: route.name) == nil else {
                    throw Mistake(.url, "is given twice: \(route.name)")
                }
                routes.smarthosts.append(route)
            } catch {
                throw file.error(at: entry.place + [error.key], error.problem)
            }
        }
        for (name, entry) in (file.content.domains ?? [:]).sorted(by: { $0.key < $1.key }) {
            do throws(DomainMistake) {
                try routes.add(name, entry, generalTLS: tls)
            } catch {
                throw file.error(at: entry.place + (error.key.map { [$0] } ?? []), error.problem)
            }
        }
        return routes
    }

    private func route(
        _ entry: Entry, _ environment: [String: String]
    ) throws(Mistake) -> Smarthost {
        let url: SmarthostURL
        do throws(SettingError) {
            url = try SmarthostURL(entry.url, setting: "routes")
        } catch {
            throw Mistake(.url, "is wrong: \(error.problem)")
        }
        guard url.credentials == nil else {
            throw Mistake(.url, "has no login: it stands in user and password_file or password_variable")
        }
        let own = entry.tls.map { Routes.policies[$0] }
        if case .some(nil) = own { throw Mistake(.tls, "is opportunistic, encrypted or verified") }
        guard (1...1_000).contains(entry.weight ?? 1) else { throw Mistake(.weight, "is 1 to 1000") }
        guard (1...10_000).contains(entry.connections ?? 1) else { throw Mistake(.connections, "is 1 to 10000") }
        guard let family = AddressFamily(rawValue: entry.family ?? "any") else {
            throw Mistake(.family, "is \(AddressFamily.choice)")
        }
        let credentials = try Self.credentials(entry, environment)
        var route: Smarthost
        do throws(SettingError) {
            route = try url.route(credentials: credentials, tls: (own ?? nil) ?? tls, setting: "routes")
        } catch {
            throw Mistake(.tls, "is too little: \(error.problem)")
        }
        route.weight = entry.weight ?? 1
        route.connections = entry.connections
        route.family = family
        route.isOnlyNamed = entry.onlyNamed ?? false
        return route
    }

    private static func credentials(
        _ entry: Entry, _ environment: [String: String]
    ) throws(Mistake) -> SMTPCredentials? {
        let key = entry.passwordFile == nil ? Entry.CodingKeys.passwordVariable : .passwordFile
        guard let user = entry.user else {
            guard entry.passwordFile == nil, entry.passwordVariable == nil else {
                throw Mistake(key, "needs a user")
            }
            return nil
        }
        let password: String?
        switch (entry.passwordFile, entry.passwordVariable) {
        case (let file?, nil): password = YAMLText.secret(file)
        case (nil, let variable?): password = environment[variable]
        default: throw Mistake(.user, "needs password_file or password_variable, one of them")
        }
        guard let password, !password.isEmpty else {
            throw Mistake(key, "has no password: \(entry.passwordFile ?? entry.passwordVariable ?? "")")
        }
        return SMTPCredentials(username: user, password: password)
    }
}

/// `smtp://[user:password@]host[:port]`, port 25 by default; `smtps://…` for TLS from the first octet, port 465 by
/// default (RFC 8314 §3.3).
struct SmarthostURL {
    let host: String
    let port: Int
    let isImplicitTLS: Bool
    let credentials: SMTPCredentials?

    init(_ text: String, setting: String) throws(SettingError) {
        guard let url = URLComponents(string: text), let scheme = url.scheme, ["smtp", "smtps"].contains(scheme),
            let host = url.host, !host.isEmpty, (1...65_535).contains(url.port ?? 25),
            url.path.isEmpty || url.path == "/", url.query == nil, url.fragment == nil
        else {
            throw SettingError(
                setting: setting, problem: "a route looks like smtp://host:port, or smtps://host:port with TLS at once")
        }
        isImplicitTLS = scheme == "smtps"
        self.host = host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
        port = url.port ?? (isImplicitTLS ? 465 : 25)
        guard let user = url.user else {
            credentials = nil
            return
        }
        guard let password = url.password else {
            throw SettingError(setting: setting, problem: "a user needs a password")
        }
        credentials = SMTPCredentials(username: user, password: password)
    }

    /// A login goes only to a host whose certificate proves its name, unless the operator asks for less.
    ///
    /// - Parameter tls: as asked for; nil for what is sensible.
    func route(
        credentials: SMTPCredentials?, tls: SMTPTLSPolicy?, setting: String
    ) throws(SettingError) -> Smarthost {
        var route = Smarthost(host: host, port: port, credentials: credentials)
        let needsTLS = credentials != nil || isImplicitTLS
        route.tls = tls ?? (needsTLS ? .required(verify: true) : nil)
        if needsTLS, route.tls?.allowsPlaintext == true {
            throw SettingError(
                setting: setting, problem: "\(host): a login and smtps need TLS: encrypted or verified")
        }
        route.startsWithTLS = isImplicitTLS
        return route
    }
}

extension Smarthost {
    /// The route is the operator's own word, so private addresses are fine. They are looked up at the start and at each
    /// reload; the thread waits for the answer.
    func resolved(setting: String) throws(SettingError) -> Smarthost {
        guard addresses.isEmpty else { return self }
        var route = self
        let addresses = Self.addresses(of: host)
        route.addresses = family.choice(of: addresses)
        guard !route.addresses.isEmpty else {
            let kind = addresses.isEmpty ? "address" : "\(family.name) address"
            throw SettingError(setting: setting, problem: "\(host) has no \(kind)")
        }
        return route
    }

    /// All of them, in the order in which the system would try them (RFC 6724).
    private static func addresses(of host: String) -> [IPAddress] {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, nil, &hints, &list) == 0 else { return [] }
        defer { freeaddrinfo(list) }
        var addresses: [IPAddress] = []
        for entry in sequence(first: list, next: { $0?.pointee.ai_next }).compactMap(\.self) {
            var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            let status = getnameinfo(
                entry.pointee.ai_addr, entry.pointee.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST)
            let octets = text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
            guard status == 0, let address = IPAddress(String(decoding: octets, as: UTF8.self)),
                !addresses.contains(address), addresses.count < maximumAddresses
            else { continue }
            addresses.append(address)
        }
        return addresses
    }

    private static let maximumAddresses = 16
}
