import MailTypes

/// The decisions of RFC 5321 §5.1 on the way from a domain to its mail hosts. It asks nothing itself: the answers are
/// given to it.
struct MailRoutePlan: Hashable {
    struct Host: Hashable {
        let name: String
        let preference: Int
    }

    /// The hosts whose addresses are needed, the best first.
    let hosts: [Host]
    /// Whether the domain itself stands in for missing MX records.
    let isImplicit: Bool
    /// DNSSEC proves the MX records. What it says about their lack is not kept: a domain that lacks them is its own host.
    var isSecure = false

    enum Start: Hashable {
        case nullMX
        case lookUp(MailRoutePlan)
    }

    /// Reads the answer to the question for MX records.
    ///
    /// No answer is not the same as no record: only if the DNS says that there is none may the domain's address be used.
    ///
    /// - Parameter generator: shuffles hosts of equal preference, as §5.1 asks to spread load.
    static func start(
        _ domain: DomainName, _ answer: DNSAnswer, using generator: inout some RandomNumberGenerator
    ) throws(DNSFailure) -> Start {
        switch answer {
        case .noName: throw .permanent(.noSuchDomain)
        case .failure(let reason): throw reason == .nameUnusable ? .permanent(reason) : .temporary(reason)
        case .noRecords:
            return .lookUp(MailRoutePlan(hosts: [Host(name: domain.text, preference: 0)], isImplicit: true))
        case .records(let data, let isSecure, _):
            let records = data.prefix(DNSLimits.records).compactMap { MailExchange($0) }
            // RFC 7505 §3: a null MX stands alone. Beside others it says nothing, and they count.
            if !records.isEmpty, records.allSatisfy({ $0.host == .none }) { return .nullMX }
            let hosts = order(records, using: &generator)
            guard !hosts.isEmpty else { throw .permanent(.noUsableMailHost) }
            return .lookUp(MailRoutePlan(hosts: hosts, isImplicit: false, isSecure: isSecure))
        }
    }

    private static func order(
        _ records: [MailExchange], using generator: inout some RandomNumberGenerator
    ) -> [Host] {
        var best: [String: Int] = [:]
        for record in records {
            guard case .name(let name) = record.host else { continue }
            best[name] = min(record.preference, best[name] ?? .max)
        }
        // Sorted by name before it is shuffled, so that the result depends on the generator alone.
        var hosts = best.map { Host(name: $0.key, preference: $0.value) }.sorted { $0.name < $1.name }
        hosts.shuffle(using: &generator)
        // The standard library's sort is stable, in fact though not by promise; numbering the ties makes it one.
        let ranked = hosts.enumerated().sorted {
            ($0.element.preference, $0.offset) < ($1.element.preference, $1.offset)
        }
        return ranked.prefix(DNSLimits.mailHosts).map(\.element)
    }

    /// The questions for the addresses of all hosts, host by host.
    func questions(_ configuration: ResolverConfiguration) -> [DNSQuestion] {
        hosts.flatMap { host in
            Self.types(configuration).map { DNSQuestion(name: host.name, type: $0) }
        }
    }

    private static func types(_ configuration: ResolverConfiguration) -> [DNSQuestion.RecordType] {
        guard configuration.usesVersion6 else { return [.address] }
        return configuration.prefersVersion6 ? [.version6Address, .address] : [.address, .version6Address]
    }

    /// - Parameter answers: one for each of `questions`, in their order.
    /// - Returns: the hosts that have an address.
    /// - Throws: if none has: temporary if the domain names hosts, or if it is not certain for one, for that one may have.
    func finish(_ answers: [DNSAnswer], _ configuration: ResolverConfiguration) throws(DNSFailure) -> MailRoute {
        let perHost = Self.types(configuration).count
        precondition(answers.count == hosts.count * perHost)
        var usable: [MailHost] = []
        var doubt: DNSFailure.Reason?
        var allNamesMissing = true
        for (index, host) in hosts.enumerated() {
            var addresses: [IPAddress] = []
            // An answer that failed proves nothing and is not dialled either: it counts neither way, lest its loss
            // make a host with proofs look like one without.
            var areSecure = true
            var canonicalName: String?
            for answer in answers[index * perHost..<(index + 1) * perHost] {
                if answer != .noName { allNamesMissing = false }
                switch answer {
                case .records(let data, let isSecure, let name):
                    areSecure = areSecure && isSecure
                    canonicalName = canonicalName ?? name
                    addresses += data.compactMap { IPAddress(bytes: $0) }.prefix(DNSLimits.addresses)
                case .failure(let reason) where reason != .nameUnusable: doubt = doubt ?? reason
                case .failure, .noRecords, .noName: break
                }
            }
            if !addresses.isEmpty {
                usable.append(
                    MailHost(
                        name: host.name, preference: host.preference, addresses: addresses,
                        isRouteSecure: isImplicit ? areSecure : isSecure, areAddressesSecure: areSecure,
                        canonicalName: canonicalName))
            }
        }
        guard usable.isEmpty else { return .hosts(usable) }
        if let doubt { throw .temporary(doubt) }
        // Whoever publishes MX records wants mail; a record that points nowhere is a mistake that is mended sooner or later.
        guard isImplicit else { throw .temporary(.noUsableMailHost) }
        throw .permanent(allNamesMissing ? .noSuchDomain : .noMailHost)
    }
}
