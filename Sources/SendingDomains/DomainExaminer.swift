package import DNSResolution
import MailSigning
import MailTypes

/// Looks whether the DNS has what a sending domain's owner was asked to publish.
package struct DomainExaminer: Sendable {
    let resolver: Resolver
    let suffixes: PublicSuffixes?

    package init(resolver: Resolver, suffixes: PublicSuffixes? = .system) {
        self.resolver = resolver
        self.suffixes = suffixes
    }

    struct Result: Sendable, Hashable {
        var findings: [DomainFinding]
        var proof: DomainStanding.Proof
        /// Selectors whose records hold our keys.
        var published: [String]
    }

    /// All that is asked for goes out at once.
    func examine(_ domain: SendingDomain) async -> Result {
        async let keys = keys(of: domain)
        async let returnPath = returnPath(of: domain)
        async let challenge = challenge(of: domain)
        async let policies = policies(of: domain)
        return Result(await keys, await returnPath, await challenge, advice: await policies, of: domain)
    }

    // MARK: Proof

    private func keys(of domain: SendingDomain) async -> [DomainFinding] {
        await withTaskGroup(of: DomainFinding.self) { group in
            for key in domain.keys {
                group.addTask { await self.key(key, of: domain) }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
    }

    private func key(_ key: SendingDomain.Key, of domain: SendingDomain) async -> DomainFinding {
        let name = Self.name(of: key, domain)
        return await look(.dkim, at: name) { texts in
            let ours = KeyRecord(key.record)
            if texts.contains(where: { KeyRecord($0) == ours }) { return (.found, nil, nil) }
            return (.wrong, texts.first, "this record does not hold the key that signs")
        }
    }

    private func challenge(of domain: SendingDomain) async -> DomainFinding {
        let challenge = domain.challenge
        let found = await texts(challenge.name)
        return DomainFinding(DomainFinding.challenge, challenge.name, found) { texts in
            texts.contains { $0.trimmingBlanks == challenge.value }
                ? (.found, nil, nil) : (.wrong, texts.first, "this is not the value of this account and domain")
        }
    }

    private func returnPath(of domain: SendingDomain) async -> DomainFinding? {
        guard let advice = domain.records.first(where: { $0.purpose == .returnPath }) else { return nil }
        let host = advice.value.split(separator: " ").last.map { $0.hasSuffix(".") ? $0.dropLast() : $0 } ?? ""
        let found: Lookup
        do throws(DNSFailure) {
            found = .found(try await resolver.mailExchanges(of: advice.name))
        } catch {
            found = Lookup(error)
        }
        return DomainFinding(advice.purpose.rawValue, advice.name, found) { hosts in
            hosts.contains { $0 == host.lowercased() }
                ? (.found, nil, nil)
                : (.wrong, hosts.map { "MX \($0)" }.joined(separator: ", "), "bounces would not come to \(host)")
        }
    }

    // MARK: The DNS

    enum Lookup: Sendable {
        case found([String])
        case absent
        case failed(String)

        init(_ failure: DNSFailure) {
            self = failure.isPermanent ? .absent : .failed(failure.description)
        }
    }

    func texts(_ name: String) async -> Lookup {
        do throws(DNSFailure) {
            return .found(try await resolver.txt(name))
        } catch {
            return Lookup(error)
        }
    }

    typealias Judgement = (state: DomainFinding.State, seen: String?, note: String?)

    func look(
        _ purpose: DNSRecordAdvice.Purpose, at name: String, judge: ([String]) -> Judgement
    ) async -> DomainFinding {
        DomainFinding(purpose.rawValue, name, await texts(name), judge: judge)
    }

    fileprivate static func name(of key: SendingDomain.Key, _ domain: SendingDomain) -> String {
        "\(key.selector)._domainkey.\(domain.domain)"
    }
}

extension DomainFinding {
    init(
        _ purpose: String, _ name: String, _ lookup: DomainExaminer.Lookup,
        judge: ([String]) -> DomainExaminer.Judgement
    ) {
        switch lookup {
        case .absent: self.init(purpose, name, .missing)
        case .failed(let reason): self.init(purpose, name, .unknown, note: "the DNS did not answer: \(reason)")
        case .found(let values):
            let judgement = judge(values)
            self.init(purpose, name, judgement.state, seen: judgement.seen, note: judgement.note)
        }
    }

    /// Whether the record is there; nil where that is not known.
    fileprivate var isThere: Bool? { state == .unknown ? nil : state == .found }
}

extension DomainExaminer.Result {
    /// Either the challenge proves a domain, or the record of the first signing key together with the return path.
    init(
        _ keys: [DomainFinding], _ returnPath: DomainFinding?, _ challenge: DomainFinding, advice: [DomainFinding],
        of domain: SendingDomain
    ) {
        let names = Dictionary(
            domain.keys.map { (DomainExaminer.name(of: $0, domain), $0) }, uniquingKeysWith: { first, _ in first })
        let signing = domain.keys.first { $0.role == .signing }.map { DomainExaminer.name(of: $0, domain) }
        let key = keys.first { $0.name == signing }.map(\.isThere) ?? false
        let isProven = Self.or(challenge.isThere, Self.and(key, returnPath.map(\.isThere) ?? false))
        self.init(
            findings: keys + [returnPath, challenge].compactMap(\.self) + advice,
            proof: isProven.map { $0 ? .proven : .disproven } ?? .unknown,
            published: keys.filter { $0.state == .found }.compactMap { names[$0.name]?.selector })
    }

    /// Kleene's: false is false, whatever the other is.
    private static func and(_ left: Bool?, _ right: Bool?) -> Bool? {
        if left == false || right == false { return false }
        return left == nil || right == nil ? nil : true
    }

    private static func or(_ left: Bool?, _ right: Bool?) -> Bool? {
        if left == true || right == true { return true }
        return left == nil || right == nil ? nil : false
    }
}

/// What counts of a DKIM key record (RFC 6376 §3.6.1).
private struct KeyRecord: Hashable {
    var type = "rsa"
    var key = ""

    init(_ text: String) {
        for tag in TagList(text) {
            switch tag.name {
            case "k": type = tag.value.lowercased()
            case "p": key = tag.value.filter { !$0.isWhitespace }
            default: break
            }
        }
    }
}

extension String {
    var trimmingBlanks: String {
        var text = self[...]
        while text.first?.isWhitespace ?? false { text.removeFirst() }
        while text.last?.isWhitespace ?? false { text.removeLast() }
        return String(text)
    }
}
