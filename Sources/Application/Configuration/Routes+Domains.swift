import Delivery
import MailTypes
import SMTPTransport
import StrictYAML
import TLSPolicies
import TrafficShaping

extension Routes {
    /// Reads the rule of one domain, or of all below one, with the smarthosts that it names by URL.
    ///
    /// - Parameter generalTLS: what the operator demands of all connections; nil if nothing was said.
    mutating func add(_ name: String, _ entry: YAMLValue, generalTLS: SMTPTLSPolicy?) throws(YAMLError) {
        let fields = try entry.fields(["via", "tls", "family"])
        guard !fields.all.isEmpty else { throw entry.nameError(.missingKey, "says nothing: via, tls or family") }
        var rule = DomainRules.Rule(try Self.pattern(name, entry))
        let family = try AddressFamily(fields["family"])
        rule.way = try way(fields, family, generalTLS)
        if !goesBySmarthosts(rule.way) {
            rule.family = family
            rule.tls = try Self.requirement(fields["tls"])
        } else if fields["via"] == nil, let useless = fields["tls"] ?? fields["family"] {
            throw useless.nameError("is of no use: the mail goes by the smarthosts of routes; say via")
        }
        guard domains.add(rule) else { throw entry.nameError(.duplicate, "\(rule.pattern) is given twice") }
    }

    private static func pattern(_ name: String, _ entry: YAMLValue) throws(YAMLError) -> DomainPattern {
        do throws(AddressError) {
            return try DomainPattern(name)
        } catch {
            throw entry.nameError("is no domain, *.domain or *: \(error)")
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

    private static func requirement(_ value: YAMLValue?) throws(YAMLError) -> TLSRequirement? {
        guard let value else { return nil }
        guard let requirement = TLSRequirement(rawValue: try value.word()), requirement != .requireTLS else {
            throw value.error("opportunistic, encrypted, verified or dane")
        }
        return requirement
    }

    private mutating func way(
        _ fields: YAMLFields, _ family: AddressFamily, _ generalTLS: SMTPTLSPolicy?
    ) throws(YAMLError) -> DomainRules.Way {
        guard let via = fields["via"] else { return .usual }
        let words = try via.words()
        if words == ["direct"] { return .direct }
        guard words.count <= RoutesFile.maximumRoutes, Set(words).count == words.count else {
            throw via.error("direct, or 1 to \(RoutesFile.maximumRoutes) smarthosts")
        }
        var names: [String] = []
        for text in words {
            names.append(
                text.contains("://")
                    ? try addSmarthost(text, via, fields, family, generalTLS) : try known(text, via, fields))
        }
        return .smarthosts(names)
    }

    private func known(_ name: String, _ via: YAMLValue, _ fields: YAMLFields) throws(YAMLError) -> String {
        guard let smarthost = smarthost(named: name) else {
            throw via.error("direct, a smarthost of routes by host:port, or a URL: there is no \(name)")
        }
        if let own = fields["tls"] ?? fields["family"] {
            throw own.nameError("stands with the route \(smarthost.name)")
        }
        return name
    }

    /// A smarthost that only rules name.
    private mutating func addSmarthost(
        _ text: String, _ via: YAMLValue, _ fields: YAMLFields, _ family: AddressFamily, _ generalTLS: SMTPTLSPolicy?
    ) throws(YAMLError) -> String {
        let url: SmarthostURL
        do throws(SmarthostURL.Mistake) {
            url = try SmarthostURL(text)
        } catch {
            throw via.error(error.problem)
        }
        guard url.credentials == nil else { throw via.error("a login stands in routes, with only_named: true") }
        var smarthost = try url.smarthost(credentials: nil, tls: Self.policy(fields["tls"]) ?? generalTLS, at: via)
        smarthost.isOnlyNamed = true
        smarthost.family = family
        if let known = self.smarthost(named: smarthost.name) {
            guard known == smarthost else {
                throw via.error("names \(smarthost.name), which is used in another way elsewhere")
            }
        } else {
            smarthosts.append(smarthost)
        }
        return smarthost.name
    }
}
