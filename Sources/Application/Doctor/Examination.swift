import DNSResolution
import Delivery
import MailSigning
import MailTypes
import SendingDomains
import TrafficShaping

/// What a doctor found.
struct Finding: Encodable, Equatable, Sendable {
    enum Level: String, Encodable {
        case good, note, problem
    }

    let level: Level
    let text: String

    init(_ level: Level, _ finding: String, advice: String = "") {
        self.level = level
        let mark =
            switch level {
            case .good: "ok       "
            case .note: "note     "
            case .problem: "PROBLEM  "
            }
        text = mark + finding + (advice.isEmpty ? "" : "\n         → " + advice)
    }
}

/// Asks the DNS what receivers will ask it.
struct Examination {
    let resolver: Resolver
    let rules: ProviderRules
    var routes = Routes()

    /// Whether each source address has a name that leads back to it, and whether that is the name given in EHLO: many
    /// receivers refuse mail otherwise (RFC 1912 §2.1, RFC 8601 §2.7.3).
    func names(helo: String, sources: [IPAddress]) async -> [Finding] {
        var findings: [Finding] = []
        let forward = try? await resolver.addresses(of: helo)
        if let forward {
            findings.append(.init(.good, "EHLO name \(helo) has the address \(Self.list(forward))"))
        } else {
            findings.append(
                .init(
                    .problem, "EHLO name \(helo) has no address",
                    advice: "publish A or AAAA records for it, or choose another name with --helo"))
        }
        if sources.isEmpty {
            findings.append(
                .init(
                    .note, "this host has no public address of its own, so it sends through address translation",
                    advice: "name the public address with --source to have it checked"))
        }
        for source in sources { findings += await reverse(of: source, helo: helo, forward: forward ?? []) }
        return findings
    }

    private func reverse(of source: IPAddress, helo: String, forward: [IPAddress]) async -> [Finding] {
        guard let names = try? await resolver.names(of: source) else {
            return [
                .init(
                    .problem, "source address \(source) has no name",
                    advice: "ask the provider of the address for a PTR record to \(helo)")
            ]
        }
        var confirmed: [String] = []
        for name in names.prefix(8) {
            if let addresses = try? await resolver.addresses(of: name), addresses.contains(source) {
                confirmed.append(name)
            }
        }
        guard !confirmed.isEmpty else {
            return [
                .init(
                    .problem, "source address \(source) is named \(Self.list(names)), which does not lead back to it",
                    advice: "publish \(source.isVersion6 ? "AAAA" : "A") records for that name")
            ]
        }
        guard confirmed.contains(helo.lowercased()) else {
            return [
                .init(
                    .note, "source address \(source) is named \(Self.list(confirmed)), not \(helo)",
                    advice: "some receivers compare: let --helo be that name")
            ]
        }
        return [.init(.good, "source address \(source) is named \(helo) and back")]
    }

    /// Whether sending domains can be added.
    static func suffixes() -> [Finding] {
        guard PublicSuffixes.system == nil else { return [] }
        return [
            .init(
                .problem, "the list of public suffixes is missing: no sending domain can be added",
                advice: "install Debian's package publicsuffix")
        ]
    }

    /// How RSA signatures are made on this machine.
    static func signing(_ settings: BatchSignerSettings) async -> Finding {
        let status = await settings.open().status
        guard !status.isBatch else {
            return Finding(
                .good, "RSA signatures are made eight at a time, from \(status.fewestLanes) on: \(status.detail)")
        }
        return Finding(
            settings.mode == .require ? .problem : .note, "RSA signatures are made one by one: \(status.detail)",
            advice: settings.mode == .require ? "sluice serve refuses to start" : "")
    }

    /// SPF and DMARC of a sending domain. They keep no mail here, so they are notes at worst.
    func policies(of domain: DomainName) async -> [Finding] {
        guard let returnPath = try? DomainName("bounce." + domain.text) else { return [] }
        return await DomainExaminer(resolver: resolver).policies(of: domain, returnPath: returnPath).map { finding in
            Finding(
                finding.state == .found ? .good : .note,
                "\(finding.purpose.uppercased()) at \(finding.name) is \(finding.state.rawValue)"
                    + (finding.seen.map { ": \($0)" } ?? ""),
                advice: finding.note ?? "")
        }
    }

    /// Where mail to a domain goes, and which rules apply.
    func domain(_ domain: DomainName) async -> [Finding] {
        let (way, smarthosts) = routes.explain(domain)
        let findings = way.map { Finding(.note, $0) }
        guard !smarthosts else { return findings }
        return findings + (await mailHosts(of: domain, family: routes.domains.rule(for: domain)?.family ?? .any))
    }

    private func mailHosts(of domain: DomainName, family: AddressFamily) async -> [Finding] {
        let route: MailRoute
        do throws(DNSFailure) {
            route = try await resolver.mailRoute(for: domain)
        } catch {
            return [
                .init(
                    .problem, "\(domain): \(error)",
                    advice: error.isPermanent ? "mail to it bounces" : "mail to it is tried again later")
            ]
        }
        guard case .hosts(let hosts) = route else {
            return [.init(.problem, "\(domain) takes no mail (null MX)", advice: "mail to it bounces")]
        }
        var findings = hosts.map { host in
            let isPublic = host.addresses.contains(where: \.isGlobal)
            let isReachable = family.choice(of: host.addresses).contains(where: \.isGlobal)
            return Finding(
                isReachable ? .good : .problem,
                "\(domain) has the mail host \(host.name) (\(host.preference)), \(Self.list(host.addresses))",
                advice: isReachable
                    ? ""
                    : isPublic
                        ? "no \(family.name) address, which the rule of the domain demands: it is not connected to"
                        : "not on the public Internet: it is not connected to")
        }
        let explanation = rules.explain(forMX: hosts.map(\.name), domain: domain.text)
        findings += explanation.map { Finding(.note, $0) }
        return findings + [await transportSecurity(domain, hosts)]
    }

    private func transportSecurity(_ domain: DomainName, _ hosts: [MailHost]) async -> Finding {
        if hosts.contains(where: \.isSecure) {
            return Finding(.note, "the mail hosts are signed with DNSSEC: DANE applies where they have TLSA records")
        }
        let records = (try? await resolver.txt("_mta-sts." + domain.text)) ?? []
        guard records.contains(where: { $0.hasPrefix("v=STSv1") }) else {
            return Finding(.note, "no MTA-STS policy: TLS is used where it is offered")
        }
        return Finding(.note, "the domain has an MTA-STS policy")
    }

    private static func list(_ values: [some CustomStringConvertible]) -> String {
        values.map(\.description).joined(separator: ", ")
    }
}
