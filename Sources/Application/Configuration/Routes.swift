import Delivery
import MailTypes
import SMTPTransport
import TLSPolicies
import TrafficShaping

/// What the file of routes says.
struct Routes {
    var smarthosts: [Smarthost] = []
    var domains = DomainRules()

    func smarthost(named name: String) -> Smarthost? { smarthosts.first { $0.name == name } }

    /// With the addresses of all smarthosts, which are looked up; the thread waits for the answers.
    func resolved() throws(SettingError) -> Routes {
        var routes = self
        for index in smarthosts.indices { routes.smarthosts[index] = try smarthosts[index].resolved(setting: "routes") }
        return routes
    }

    /// What holds for mail to a domain, in sentences.
    ///
    /// - Returns: also whether smarthosts take it, and the recipients' own servers hear nothing.
    func explain(_ domain: DomainName) -> (sentences: [String], goesBySmarthosts: Bool) {
        let rule = domains.rule(for: domain)
        var sentences = rule.map { ["mail to \(domain) follows the rule for \($0.pattern) of the routes file"] } ?? []
        let names: [String] =
            switch rule?.way ?? .usual {
            case .usual: smarthosts.filter { !$0.isOnlyNamed }.map(\.name)
            case .direct: []
            case .smarthosts(let names): names
            }
        guard names.isEmpty else {
            sentences.append("it goes by the smarthost\(names.count == 1 ? "" : "s") \(names.joined(separator: ", "))")
            return (sentences, true)
        }
        if let tls = rule?.tls { sentences.append("TLS is at least \(tls.rawValue), whatever receivers publish") }
        switch rule?.family ?? .any {
        case .any: break
        case .ipv4, .ipv6: sentences.append("only \(rule?.family.name ?? "") addresses are connected to")
        case .ipv4First, .ipv6First: sentences.append("\(rule?.family.name ?? "") addresses are tried first")
        }
        return (sentences, false)
    }

    /// As the TLS of a smarthost is named.
    static let policies: [String: SMTPTLSPolicy] = [
        "opportunistic": .opportunistic, "encrypted": .required(verify: false), "verified": .required(verify: true),
    ]
}

extension RoutesFile {
    /// What is said of one domain, or of all below one.
    struct DomainEntry: Decodable {
        /// Where it stands in the file.
        let place: [any CodingKey]
        /// `direct`; or smarthosts, by `host:port` of a route or by a URL.
        let via: [String]?
        let tls: String?
        let family: String?

        enum CodingKeys: String, CodingKey, CaseIterable {
            case via, tls, family
        }

        init(from decoder: any Decoder) throws {
            try decoder.refuseUnknownKeys(CodingKeys.self)
            let values = try decoder.container(keyedBy: CodingKeys.self)
            place = decoder.codingPath
            if let one = try? values.decodeIfPresent(String.self, forKey: .via) {
                via = [one]
            } else {
                via = try values.decodeIfPresent([String].self, forKey: .via)
            }
            tls = try values.decodeIfPresent(String.self, forKey: .tls)
            family = try values.decodeIfPresent(String.self, forKey: .family)
        }
    }

    /// What is wrong with an entry, or with one key of it.
    struct DomainMistake: Error {
        let key: DomainEntry.CodingKeys?
        let problem: String

        init(_ key: DomainEntry.CodingKeys?, _ problem: String) {
            self.key = key
            self.problem = problem
        }
    }
}

extension Routes {
    /// Reads the rule of one entry, with the smarthosts that it names by URL.
    ///
    /// - Parameter generalTLS: what the operator demands of all connections; nil if nothing was said.
    mutating func add(
        _ name: String, _ entry: RoutesFile.DomainEntry, generalTLS: SMTPTLSPolicy?
    ) throws(RoutesFile.DomainMistake) {
        guard entry.via != nil || entry.tls != nil || entry.family != nil else {
            throw RoutesFile.DomainMistake(nil, "says nothing: via, tls or family")
        }
        let pattern: DomainPattern
        do throws(AddressError) {
            pattern = try DomainPattern(name)
        } catch {
            throw RoutesFile.DomainMistake(nil, "is no domain, *.domain or *: \(error)")
        }
        var rule = DomainRules.Rule(pattern)
        guard let family = AddressFamily(rawValue: entry.family ?? "any") else {
            throw RoutesFile.DomainMistake(.family, "is \(AddressFamily.choice)")
        }
        rule.way = try way(entry, family, generalTLS)
        if !goesBySmarthosts(rule.way) {
            rule.family = family
            rule.tls = try Self.requirement(entry.tls)
        } else if entry.via == nil {
            throw RoutesFile.DomainMistake(
                entry.tls == nil ? .family : .tls, "is of no use: the mail goes by the smarthosts of routes; say via")
        }
        guard domains.add(rule) else {
            throw RoutesFile.DomainMistake(nil, "is given twice: \(pattern)")
        }
    }

    /// Then TLS and addresses are theirs.
    private func goesBySmarthosts(_ way: DomainRules.Way) -> Bool {
        switch way {
        case .usual: smarthosts.contains { !$0.isOnlyNamed }
        case .direct: false
        case .smarthosts: true
        }
    }

    private static func requirement(_ text: String?) throws(RoutesFile.DomainMistake) -> TLSRequirement? {
        guard let text else { return nil }
        guard let requirement = TLSRequirement(rawValue: text), requirement != .requireTLS else {
            throw RoutesFile.DomainMistake(.tls, "is opportunistic, encrypted, verified or dane")
        }
        return requirement
    }

    private mutating func way(
        _ entry: RoutesFile.DomainEntry, _ family: AddressFamily, _ generalTLS: SMTPTLSPolicy?
    ) throws(RoutesFile.DomainMistake) -> DomainRules.Way {
        guard let via = entry.via else { return .usual }
        if via == ["direct"] { return .direct }
        guard (1...RoutesFile.maximumRoutes).contains(via.count), Set(via).count == via.count else {
            throw RoutesFile.DomainMistake(.via, "is direct, or 1 to \(RoutesFile.maximumRoutes) smarthosts")
        }
        var names: [String] = []
        for text in via {
            names.append(
                text.contains("://")
                    ? try addSmarthost(text, entry, family, generalTLS) : try known(text, entry))
        }
        return .smarthosts(names)
    }

    private func known(_ name: String, _ entry: RoutesFile.DomainEntry) throws(RoutesFile.DomainMistake) -> String {
        guard let smarthost = smarthost(named: name) else {
            throw RoutesFile.DomainMistake(
                .via, "is direct, a smarthost of routes by host:port, or a URL: there is no \(name)")
        }
        guard entry.tls == nil, entry.family == nil else {
            throw RoutesFile.DomainMistake(
                entry.tls == nil ? .family : .tls, "stands with the route \(smarthost.name)")
        }
        return name
    }

    /// A smarthost that only rules name.
    private mutating func addSmarthost(
        _ text: String, _ entry: RoutesFile.DomainEntry, _ family: AddressFamily, _ generalTLS: SMTPTLSPolicy?
    ) throws(RoutesFile.DomainMistake) -> String {
        let own = entry.tls.map { Self.policies[$0] }
        if case .some(nil) = own {
            throw RoutesFile.DomainMistake(.tls, "is opportunistic, encrypted or verified on the way to a smarthost")
        }
        var smarthost: Smarthost
        do throws(SettingError) {
            let url = try SmarthostURL(text, setting: "routes")
            guard url.credentials == nil else {
                throw SettingError(setting: "routes", problem: "a login stands in routes, with only_named: true")
            }
            smarthost = try url.route(credentials: nil, tls: (own ?? nil) ?? generalTLS, setting: "routes")
        } catch {
            throw RoutesFile.DomainMistake(.via, "is wrong: \(error.problem)")
        }
        smarthost.isOnlyNamed = true
        smarthost.family = family
        if let known = self.smarthost(named: smarthost.name) {
            guard known == smarthost else {
                throw RoutesFile.DomainMistake(.via, "names \(smarthost.name), which is used in another way elsewhere")
            }
        } else {
            smarthosts.append(smarthost)
        }
        return smarthost.name
    }
}

extension AddressFamily {
    /// For error messages.
    static var choice: String { allCases.dropLast().map(\.rawValue).joined(separator: ", ") + " or ipv6_first" }
}
