package import DNSResolution
package import MailTypes
import SMTPProtocol
import SMTPTransport

/// Decides how mail to a domain is protected: by DANE where a host has secure TLSA records (RFC 7672), else by the
/// domain's MTA-STS policy (RFC 8461), else as the account asks. DANE wins: MTA-STS never lets a host pass that fails it
/// (RFC 8461 §2).
///
///     let policy = await resolver.policy(for: domain, hosts: hosts, minimum: .opportunistic)
///     let targets = hosts.flatMap { host in
///         host.addresses.map { SMTPTarget(host: host.name, address: $0, tls: policy[host.name]?.policy) }
///     }
///     let lane = lanes[site + policy.laneKey]   // one site may need several lanes: MTA-STS is a domain's affair
package struct TLSPolicyResolver: Sendable {
    /// Gives the TLSA records of a host's port, as `Resolver.tlsa` does.
    package typealias TLSALookup =
        @Sendable (_ host: String, _ port: Int) async throws(DNSFailure) -> DNSRecords<
            TLSARecord
        >

    private let tlsa: TLSALookup?
    /// Nil: MTA-STS is left out.
    package let policies: MTASTSPolicies?

    /// - Parameters:
    ///   - tlsa: nil to leave DANE out.
    ///   - policies: nil to leave MTA-STS out.
    package init(tlsa: TLSALookup?, policies: MTASTSPolicies?) {
        self.tlsa = tlsa
        self.policies = policies
    }

    /// - Parameter usesDANE: of use only if the resolver has a trust anchor.
    package init(resolver: Resolver, usesDANE: Bool = true, policies: MTASTSPolicies?) {
        let lookup: TLSALookup = { host, port throws(DNSFailure) in try await resolver.tlsa(host, port: port) }
        self.init(tlsa: usesDANE ? lookup : nil, policies: policies)
    }

    /// - Parameter hosts: from `Resolver.mailRoute(for:)` with the same domain.
    package func policy(
        for domain: DomainName, hosts: [MailHost], minimum: TLSRequirement = .opportunistic, port: Int = 25
    ) async -> DomainTLSPolicy {
        let (sts, dane) = await findings(for: domain, hosts, port: port)
        return DomainTLSPolicy(
            domain: domain,
            hosts: zip(hosts, dane).map { Self.policy(host: $0, dane: $1, sts: sts, minimum: minimum) })
    }

    /// What MTA-STS says of the domain, and DANE of each host.
    private func findings(
        for domain: DomainName, _ hosts: [MailHost], port: Int
    ) async -> (MTASTSPolicies.Finding, [DANEResult]) {
        let none = [DANEResult](repeating: .none, count: hosts.count)
        // Most domains: there is nothing to do side by side.
        guard tlsa != nil, hosts.contains(where: \.isSecure) else {
            return (await policies?.finding(for: domain) ?? MTASTSPolicies.Finding(), none)
        }
        async let finding = policies?.finding(for: domain) ?? MTASTSPolicies.Finding()
        let dane = await withTaskGroup(of: (Int, DANEResult).self) { tasks in
            for (index, host) in hosts.enumerated() {
                tasks.addTask { (index, await self.dane(host, domain: domain, port: port)) }
            }
            var results = none
            for await (index, result) in tasks { results[index] = result }
            return results
        }
        return (await finding, dane)
    }

    // MARK: DANE

    enum DANEResult: Sendable, Hashable {
        /// No secure TLSA records: DANE has nothing to say.
        case none
        case policy(DANEPolicy)
        /// Secure records, none of which can be used: TLS is still a must (RFC 7672 §2.2).
        case unusable(base: String)
        /// It is not certain whether there are records: nothing may be sent to this host (§2.1.3).
        case unavailable
    }

    private func dane(_ host: MailHost, domain: DomainName, port: Int) async -> DANEResult {
        // Insecure hosts are not asked about: a forged answer would prove nothing, and some name servers fail at TLSA.
        guard let tlsa, host.isSecure else { return .none }
        // The name at the end of the aliases first, then the one in the MX record (§2.2.3).
        for base in [host.canonicalName, host.name].compactMap(\.self) {
            let found: DNSRecords<TLSARecord>
            do throws(DNSFailure) {
                found = try await tlsa(base, port)
            } catch {
                guard error.isPermanent else { return .unavailable }
                continue
            }
            guard found.isSecure else { continue }
            let records = Set(found.values)
            guard !records.isEmpty else { return .unusable(base: base) }
            // The domain's own name counts in usage 2 only; leaving it out otherwise lets domains share connections.
            let usesNames = records.contains { $0.usage == .trustAnchor }
            return .policy(
                DANEPolicy(records: records, baseName: base, names: usesNames ? [host.name, domain.text] : []))
        }
        return .none
    }

    // MARK: Decision

    /// The decision for one host; everything that it depends on is given.
    static func policy(
        host: MailHost, dane: DANEResult, sts: MTASTSPolicies.Finding, minimum: TLSRequirement
    ) -> DomainTLSPolicy.Host {
        func decided(
            _ policy: SMTPTLSPolicy, _ source: TLSPolicySource, _ fault: TLSResultType? = nil
        ) -> DomainTLSPolicy.Host {
            DomainTLSPolicy.Host(name: host.name, policy: policy, source: source, fault: fault)
        }
        switch dane {
        case .policy(let policy):
            return decided(.dane(policy), .tlsa(host: policy.baseName, records: policy.records))
        case .unavailable:
            return decided(.refused(.tlsaUnavailable), .tlsa(host: host.name, records: []), .dnssecInvalid)
        case .unusable(let base):
            let policy: SMTPTLSPolicy =
                minimum == .dane
                ? .refused(.tlsaUnusable) : raised(.required(verify: false), to: minimum, host: host)
            return decided(policy, .tlsa(host: base, records: []), .tlsaInvalid)
        case .none: break
        }
        if minimum == .dane { return decided(.refused(.daneRequired), .none, .daneRequired) }
        guard let policy = sts.policy else {
            guard let fault = sts.fault else { return decided(raised(.opportunistic, to: minimum, host: host), .none) }
            // The policy may prove the way once it can be had: no reason to refuse the mail for good.
            let mayBeProven = minimum == .requireTLS && !host.isRouteSecure
            let policy: SMTPTLSPolicy =
                mayBeProven ? .refused(.mtaSTSPolicyUnavailable) : raised(.opportunistic, to: minimum, host: host)
            return decided(policy, .sts(nil), fault.type)
        }
        switch (policy.mode, policy.names(host.name)) {
        case (.enforce, true): return decided(.required(verify: true), .sts(policy))
        case (.enforce, false):
            return decided(.refused(.mailHostNotInPolicy), .sts(policy), .validationFailure)
        case (.testing, let isNamed):
            return decided(
                raised(.testing, to: minimum, host: host), .sts(policy), isNamed ? nil : .validationFailure)
        case (.none, _): return decided(raised(.opportunistic, to: minimum, host: host), .none)
        }
    }

    /// - Parameter policy: one that does not verify the server.
    private static func raised(
        _ policy: SMTPTLSPolicy, to minimum: TLSRequirement, host: MailHost
    ) -> SMTPTLSPolicy {
        switch minimum {
        case .opportunistic, .dane: policy
        case .encrypted: policy.allowsPlaintext ? .required(verify: false) : policy
        case .verified: .required(verify: true)
        // RFC 8689 §4.2.1: a certificate for a name that anybody may have put into the MX record proves nothing.
        case .requireTLS: host.isRouteSecure ? .required(verify: true) : policy
        }
    }
}
