import Delivery
import MailTypes
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
        for index in smarthosts.indices { routes.smarthosts[index] = try smarthosts[index].resolved(setting: .routes) }
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
}
