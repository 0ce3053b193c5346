package import MailTypes
import Synchronization

/// Finds mail hosts, text and TLSA records in the DNS, over libunbound with its cache.
///
///     let resolver = try Resolver(ResolverConfiguration())
///     switch try await resolver.mailRoute(for: address.domain) {
///     case .hosts(let hosts): …   // dial hosts[0].addresses[0] first
///     case .nullMX: …             // takes no mail
///     }
///
/// May be called from anywhere any number of times; its work is done on two threads of its own. Cancelling the calling
/// task ends a call with `temporary(.cancelled)`.
package final class Resolver: Sendable {
    private let configuration: ResolverConfiguration
    private let engine: QueryEngine
    private let generator: Mutex<any RandomNumberGenerator & Sendable>

    /// - Parameter generator: decides between mail hosts of equal preference.
    package init(
        _ configuration: ResolverConfiguration,
        generator: some RandomNumberGenerator & Sendable = SystemRandomNumberGenerator()
    ) throws(ResolverConfigurationError) {
        self.configuration = configuration
        engine = try QueryEngine(configuration)
        self.generator = Mutex(generator)
    }

    deinit { engine.stop() }

    /// The hosts that take mail for a domain, and their addresses (RFC 5321 §5.1, RFC 7505).
    ///
    /// - Throws: `permanent` if the domain does not exist or has no host with an address; `temporary` if that is not
    ///   certain: a server failure, a bogus answer, no answer in time.
    package func mailRoute(for domain: DomainName) async throws(DNSFailure) -> MailRoute {
        let deadline = ContinuousClock.now + configuration.timeout
        let question = DNSQuestion(name: domain.text, type: .mailExchange)
        let answer = await engine.ask([question], deadline: deadline)[0]
        switch try start(domain, answer) {
        case .nullMX: return .nullMX
        case .lookUp(let plan):
            let answers = await engine.ask(plan.questions(configuration), deadline: deadline)
            return try plan.finish(answers, configuration)
        }
    }

    private func start(_ domain: DomainName, _ answer: DNSAnswer) throws(DNSFailure) -> MailRoutePlan.Start {
        try generator.withLock { generator throws(DNSFailure) in
            try MailRoutePlan.start(domain, answer, using: &generator)
        }
    }

    /// The TXT records of a name, the strings of each joined.
    ///
    /// - Parameter name: such as `s1._domainkey.example.org`: letters, digits, hyphens, underscores and dots.
    /// - Returns: one or more.
    /// - Throws: `permanent` if there is no such name or it has no TXT records.
    package func txt(_ name: String) async throws(DNSFailure) -> [String] {
        try await texts(name).values
    }

    /// As `txt`, with what DNSSEC says about them.
    package func texts(_ name: String) async throws(DNSFailure) -> DNSRecords<String> {
        let records = try await records(name, .text)
        let texts = records.values.compactMap { TextRecord.joined($0) }
        guard !texts.isEmpty else { throw .permanent(.noRecords) }
        return DNSRecords(values: texts, isSecure: records.isSecure)
    }

    /// The hosts of a name's MX records, the preferred ones first, in lower case; `.` for the null MX (RFC 7505). Their
    /// addresses are not looked up.
    ///
    /// - Throws: `permanent` if there is no such name or it has no MX records.
    package func mailExchanges(of name: String) async throws(DNSFailure) -> [String] {
        let exchanges = try await records(name, .mailExchange).values.compactMap { MailExchange($0) }
        return exchanges.sorted { $0.preference < $1.preference }.compactMap { exchange in
            switch exchange.host {
            case .none: "."
            case .name(let name): name
            case .unusable: nil
            }
        }
    }

    /// The TLSA records of a host's port (RFC 6698 §3), such as `_25._tcp.mx.example.org`. Only to be asked for hosts
    /// whose addresses are secure (RFC 7672 §2.2.2): some name servers fail at this type.
    ///
    /// - Returns: the usable records, perhaps none. Insecure ones must not be used.
    /// - Throws: `permanent` if there are no records at all; `temporary` if that is not certain, a bogus answer
    ///   included: then the host must not be dialled.
    package func tlsa(_ host: String, port: Int) async throws(DNSFailure) -> DNSRecords<TLSARecord> {
        let records = try await records("_\(port)._tcp.\(host)", .tlsa)
        return DNSRecords(values: records.values.compactMap { TLSARecord(wire: $0) }, isSecure: records.isSecure)
    }

    /// The addresses of a host, at most 8 of each family, in the order that the configuration prefers.
    ///
    /// - Throws: `permanent` if it has none.
    package func addresses(of host: String) async throws(DNSFailure) -> [IPAddress] {
        guard let name = HostName.checked(host) else { throw .permanent(.nameUnusable) }
        let plan = MailRoutePlan(hosts: [.init(name: name, preference: 0)], isImplicit: true)
        let answers = await engine.ask(
            plan.questions(configuration), deadline: ContinuousClock.now + configuration.timeout)
        guard case .hosts(let hosts) = try plan.finish(answers, configuration) else { return [] }
        return hosts.flatMap(\.addresses)
    }

    /// The names of an address (RFC 1035 §3.5), in lower case.
    ///
    /// - Throws: `permanent` if it has none.
    package func names(of address: IPAddress) async throws(DNSFailure) -> [String] {
        let name =
            address.isVersion6
            ? address.bytes.reversed().map { "\(String($0 & 15, radix: 16)).\(String($0 >> 4, radix: 16))." }.joined()
                + "ip6.arpa"
            : address.bytes.reversed().map { "\($0)." }.joined() + "in-addr.arpa"
        let names = try await records(name, .pointer).values.compactMap { data in
            HostName.labels(wire: data[...]).flatMap { labels in
                HostName.checked(labels.map { String(decoding: $0, as: UTF8.self) }.joined(separator: "."))
            }
        }
        guard !names.isEmpty else { throw .permanent(.noRecords) }
        return names
    }

    private func records(
        _ name: String, _ type: DNSQuestion.RecordType
    ) async throws(DNSFailure) -> DNSRecords<[UInt8]> {
        guard let name = HostName.checked(name) else { throw .permanent(.nameUnusable) }
        let deadline = ContinuousClock.now + configuration.timeout
        switch await engine.ask([DNSQuestion(name: name, type: type)], deadline: deadline)[0] {
        case .records(let data, let isSecure, _): return DNSRecords(values: data, isSecure: isSecure)
        case .noRecords: throw .permanent(.noRecords)
        case .noName: throw .permanent(.noSuchDomain)
        case .failure(let reason): throw reason == .nameUnusable ? .permanent(reason) : .temporary(reason)
        }
    }
}
