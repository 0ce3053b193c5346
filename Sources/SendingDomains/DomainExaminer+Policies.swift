import DNSResolution
import MailSigning
package import MailTypes

/// SPF and DMARC, as advice: receivers look at them, and a domain sends without.
extension DomainExaminer {
    /// What receivers will find of a domain's policies.
    ///
    /// - Parameters:
    ///   - returnPath: the domain of the return path, below the From domain.
    ///   - senderPolicy: the SPF record that was advised, if that is known.
    package func policies(
        of domain: DomainName, returnPath: DomainName, senderPolicy: String? = nil
    ) async -> [DomainFinding] {
        async let spf = look(.spf, at: returnPath.text) { Self.judge(senderPolicies: $0, advised: senderPolicy) }
        async let dmarc = dmarc(of: domain)
        return [await spf, await dmarc]
    }

    func policies(of domain: SendingDomain) async -> [DomainFinding] {
        guard let spf = domain.records.first(where: { $0.purpose == .spf }), let returnPath = try? DomainName(spf.name)
        else { return [] }
        return await policies(of: domain.domain, returnPath: returnPath, senderPolicy: spf.value)
    }

    // MARK: SPF

    /// RFC 7208 §4.5: exactly one record. Its terms are compared with those advised; records of others are not followed.
    static func judge(senderPolicies texts: [String], advised: String?) -> Judgement {
        let records = texts.filter { $0.lowercased() == "v=spf1" || $0.lowercased().hasPrefix("v=spf1 ") }
        guard let record = records.first else { return (.missing, nil, "there are TXT records, and none is of SPF") }
        guard records.count == 1 else {
            return (.wrong, record, "there are \(records.count) SPF records, which receivers take for an error")
        }
        let terms = Set(record.lowercased().split(separator: " ").dropFirst().map(String.init))
        if terms.contains("+all") || terms.contains("all") {
            return (.wrong, record, "it lets everybody send, so it proves nothing")
        }
        guard let advised else { return (.found, record, nil) }
        let lacking = advised.lowercased().split(separator: " ").dropFirst().map(String.init).filter {
            !terms.contains($0) && !$0.hasSuffix("all")
        }
        if lacking.isEmpty { return (.found, record, nil) }
        let names = ["include:", "redirect=", "mx", "a:", "exists:"]
        if terms.contains("a") || terms.contains(where: { term in names.contains { term.hasPrefix($0) } }) {
            return (
                .found, record,
                "it names hosts by other records, which were not followed; make sure that they have "
                    + lacking.joined(separator: " ")
            )
        }
        return (.wrong, record, "it lacks " + lacking.joined(separator: " "))
    }

    // MARK: DMARC

    /// At the domain itself, or else at its organisational domain (RFC 7489 §6.6.3).
    private func dmarc(of domain: DomainName) async -> DomainFinding {
        let name = "_dmarc.\(domain)"
        let purpose = DNSRecordAdvice.Purpose.dmarc
        let own = await texts(name)
        if case .found(let texts) = own, let judgement = Self.judge(policies: texts, at: nil) {
            return DomainFinding(purpose, name, judgement.state, seen: judgement.seen, note: judgement.note)
        }
        if case .failed = own { return DomainFinding(purpose.rawValue, name, own) { _ in (.unknown, nil, nil) } }
        guard let organisation = suffixes?.organisation(of: domain), organisation != domain else {
            return DomainFinding(purpose, name, .missing, note: Self.withoutPolicy)
        }
        let above = await texts("_dmarc.\(organisation)")
        if case .absent = above { return DomainFinding(purpose, name, .missing, note: Self.withoutPolicy) }
        return DomainFinding(purpose.rawValue, name, above) { texts in
            Self.judge(policies: texts, at: organisation) ?? (.missing, nil, Self.withoutPolicy)
        }
    }

    private static let withoutPolicy = "large receivers refuse bulk mail of domains without a DMARC policy"

    /// - Parameter organisation: where the records were found, unless at the domain itself.
    /// - Returns: nil where there is no DMARC record, or several, which counts as none.
    static func judge(policies texts: [String], at organisation: DomainName?) -> Judgement? {
        let records = texts.filter { $0.filter { !$0.isWhitespace }.hasPrefix("v=DMARC1") }
        guard let record = records.first, records.count == 1 else { return nil }
        let tags = TagList(record)
        guard let own = tags["p"]?.lowercased(), policies.contains(own) else {
            return (.wrong, record, "it has no policy: p is none, quarantine or reject")
        }
        let policy = organisation == nil ? own : tags["sp"]?.lowercased() ?? own
        var notes = ["policy \(policy)" + (organisation.map { ", by the record of \($0)" } ?? "")]
        notes.append("DKIM aligns: it signs as the From domain")
        if tags["aspf"]?.lowercased() == "s" {
            notes.append("SPF does not align: aspf=s, and the return path is a domain below; DKIM alone passes")
        } else {
            notes.append("SPF aligns: the return path is below the From domain")
        }
        return (.found, record, notes.joined(separator: "; "))
    }

    private static let policies: Set = ["none", "quarantine", "reject"]
}
