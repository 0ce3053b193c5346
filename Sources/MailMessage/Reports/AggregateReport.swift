import FoundationEssentials
package import MailTypes

/// What a receiver tells of a day's mail of one domain: a DMARC aggregate report (RFC 7489 §7.2 and Appendix C) or a TLS
/// report (RFC 8460 §4). Anybody can send one: it informs, and nothing is decided by it.
package struct AggregateReport: Sendable, Hashable {
    package enum Kind: String, Sendable, Hashable, CaseIterable {
        case dmarc, tls
    }

    /// Mails or sessions of which the same is said.
    package struct Row: Sendable, Hashable {
        /// DMARC: the address that sent. TLS: the policy and what failed, such as `sts validation-failure`; `sts` alone for
        /// what succeeded.
        package let source: String
        package let count: Int64
        /// DMARC: SPF or DKIM passed and fits the From. TLS: the session was secured.
        package let isGood: Bool
        /// DMARC: what was done, and what passed, as in `reject dkim=fail spf=pass`. TLS: empty.
        package let detail: String

        package init(source: String, count: Int64, isGood: Bool, detail: String) {
            self.source = source
            self.count = count
            self.isGood = isGood
            self.detail = detail
        }
    }

    package let kind: Kind
    package let domain: DomainName
    /// Who reports.
    package let organization: String
    /// Of the reporter's own.
    package let id: String
    /// Seconds since 1970.
    package let begin: Int64
    package let end: Int64
    /// The largest counts first, equal ones summed; at most ``ReportLimits/keptRows``.
    package let rows: [Row]
    /// Of all rows, the ones left out included.
    package let good: Int64
    package let bad: Int64
}

/// The bounds of aggregate reports.
package enum ReportLimits {
    /// Octets of the file in the mail.
    static let packedOctets = 2 << 20
    /// Octets of what is packed in it.
    package static let octets = 4 << 20
    /// Rows that are read.
    static let rows = 20_000
    /// Elements of the XML.
    static let elements = 400_000
    /// Rows that are kept.
    package static let keptRows = 200
    /// A count of one row. Larger ones are cut, so that sums fit.
    static let count: Int64 = 1 << 40
    static let textCharacters = 200
    static let domainOctets = 255
    /// Octets of a string in JSON.
    static let stringOctets = 1_024
    /// Octets of a member's name in JSON.
    static let nameOctets = 128
    /// Parts of a mail that are looked at.
    static let parts = 20
}

extension AggregateReport {
    /// The report in a mail; nil where there is none, or one that cannot be read within ``ReportLimits``.
    ///
    /// Only the first part that looks like a report is read: a mail of many would have us unpack all of them.
    package init?(mail: ReceivedMail) {
        let isWhole = mail.root.children.isEmpty
        let found = mail.root.leaves.prefix(ReportLimits.parts).first { part in
            (isWhole || !Self.prose.contains(part.mediaType)) && Self.looksLikeReport(part.content(limit: 256))
        }
        guard let file = found?.content(limit: ReportLimits.packedOctets) else { return nil }
        self.init(file: file)
    }

    /// Beside a report, such parts are for people.
    private static let prose: Set<String> = ["text/plain", "text/html"]

    /// - Parameter beginning: of a file
    private static func looksLikeReport(_ beginning: [UInt8]) -> Bool {
        if beginning.starts(with: [0x1F, 0x8B]) || beginning.starts(with: [0x50, 0x4B, 0x03, 0x04]) { return true }
        let first = opening(beginning)
        return first == UInt8(ascii: "<") || first == UInt8(ascii: "{")
    }

    /// The first octet that is no blank and no byte order mark.
    private static func opening(_ text: [UInt8]) -> UInt8? {
        text.first { !$0.isBlank && $0 != 0xEF && $0 != 0xBB && $0 != 0xBF }
    }

    /// - Parameter file: XML or JSON, packed or not.
    package init?(file: [UInt8]) {
        guard let text = PackedFile.contents(file, limit: ReportLimits.octets), let first = Self.opening(text)
        else { return nil }
        switch first {
        case UInt8(ascii: "<"): self.init(dmarc: text)
        case UInt8(ascii: "{"): self.init(tls: text)
        default: return nil
        }
    }

    fileprivate init?(
        _ kind: Kind, _ domain: String, organization: String, id: String, begin: Int64, end: Int64, _ rows: [Row]
    ) {
        guard domain.utf8.count <= ReportLimits.domainOctets, let domain = try? DomainName(domain), !id.isEmpty,
            begin >= 0, begin <= end, end < 1 << 40, rows.count <= ReportLimits.rows
        else { return nil }
        var counts: [Row: Int64] = [:]
        for row in rows {
            let key = Row(source: row.source, count: 0, isGood: row.isGood, detail: row.detail)
            counts[key, default: 0] += min(max(row.count, 0), ReportLimits.count)
        }
        let summed = counts.map { Row(source: $0.source, count: $1, isGood: $0.isGood, detail: $0.detail) }
        self.kind = kind
        self.domain = domain
        self.organization = organization.cleaned
        self.id = id.cleaned
        self.begin = begin
        self.end = end
        self.rows = Array(
            summed.sorted { ($1.count, $0.source, $0.detail) < ($0.count, $1.source, $1.detail) }
                .prefix(ReportLimits.keptRows))
        good = summed.reduce(0) { $0 + ($1.isGood ? $1.count : 0) }
        bad = summed.reduce(0) { $0 + ($1.isGood ? 0 : $1.count) }
    }
}

// MARK: DMARC

extension AggregateReport {
    /// - Parameter dmarc: the XML of RFC 7489 Appendix C.
    init?(dmarc octets: [UInt8]) {
        guard let root = XMLReader.read(octets, mostElements: ReportLimits.elements), root.name == "feedback",
            let metadata = root["report_metadata"], let range = metadata["date_range"],
            let begin = range["begin"].flatMap({ Int64($0.value()) }),
            let end = range["end"].flatMap({ Int64($0.value()) }),
            let domain = root["policy_published"]?["domain"]
        else { return nil }
        let records = root.all("record")
        guard records.count <= ReportLimits.rows else { return nil }
        self.init(
            .dmarc, domain.value(), organization: metadata["org_name"]?.value() ?? "",
            id: metadata["report_id"]?.value() ?? "", begin: begin, end: end, records.compactMap(Self.row))
    }

    private static func row(_ record: XMLReader.Element) -> Row? {
        guard let row = record["row"], let source = row["source_ip"]?.value(45), let count = row["count"]?.value(),
            let number = Int64(count), number > 0, source.isAddress
        else { return nil }
        let evaluated = row["policy_evaluated"]
        func word(_ name: String, _ known: Set<String>) -> String {
            let value = evaluated?[name]?.value(20).lowercased() ?? ""
            return known.contains(value) ? value : "unknown"
        }
        let (dkim, spf) = (word("dkim", ["pass", "fail"]), word("spf", ["pass", "fail"]))
        let disposition = word("disposition", ["none", "quarantine", "reject"])
        return Row(
            source: source.lowercased(), count: number, isGood: dkim == "pass" || spf == "pass",
            detail: "\(disposition) dkim=\(dkim) spf=\(spf)")
    }
}

// MARK: TLS

extension AggregateReport {
    /// - Parameter tls: the JSON of RFC 8460 §4. Its policies are all of one domain; those of others are left out.
    init?(tls octets: [UInt8]) {
        guard JSONStrings.areShort(octets),
            let file = try? JSONDecoder().decode(TLSReportFile.self, from: Data(octets)),
            let domain = file.policies.first?.policy.domain.lowercased(), file.policies.count <= ReportLimits.rows,
            let begin = Self.seconds(file.range.start), let end = Self.seconds(file.range.end)
        else { return nil }
        var rows: [Row] = []
        for entry in file.policies where entry.policy.domain.lowercased().utf8.elementsEqual(domain.utf8) {
            let policy = entry.policy.type.word
            rows.append(Row(source: policy, count: entry.summary.successes, isGood: true, detail: ""))
            var explained: Int64 = 0
            for failure in (entry.failures ?? []).prefix(ReportLimits.rows) {
                let count = min(max(failure.count, 0), ReportLimits.count)
                explained += count
                rows.append(Row(source: "\(policy) \(failure.type.word)", count: count, isGood: false, detail: ""))
            }
            // Failures that are counted and not described.
            let rest = min(max(entry.summary.failures, 0), ReportLimits.count) - explained
            if rest > 0 { rows.append(Row(source: "\(policy) unknown", count: rest, isGood: false, detail: "")) }
        }
        self.init(
            .tls, domain, organization: file.organization, id: file.id, begin: begin, end: end,
            rows.filter { $0.count > 0 })
    }

    private static func seconds(_ text: String) -> Int64? {
        guard text.utf8.count <= 40 else { return nil }
        let date =
            (try? Date(text, strategy: .iso8601))
            ?? (try? Date(text, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true)))
        return date.map { Int64($0.timeIntervalSince1970) }
    }
}

/// Looks over JSON before it is decoded: the decoder hashes the names of members, in time that grows with the square of
/// a run of combining marks.
private enum JSONStrings {
    /// Whether all strings are within ``ReportLimits``, and the names of members ASCII without escapes. An octet 0 is
    /// none of UTF-8's JSON: the decoder would take it for UTF-16 or UTF-32.
    static func areShort(_ octets: [UInt8]) -> Bool {
        guard !octets.contains(0) else { return false }
        var index = 0
        while let quote = octets.firstIndex(of: UInt8(ascii: "\""), in: index..<octets.count) {
            guard let end = Self.end(octets, quote + 1), !isName(octets, end) || isPlain(octets[(quote + 1)..<end])
            else { return false }
            index = end + 1
        }
        return true
    }

    /// Where a string ends that begins at `start`; nil where it is too long.
    private static func end(_ octets: [UInt8], _ start: Int) -> Int? {
        let limit = min(octets.count, start + ReportLimits.stringOctets + 1)
        var index = start
        while index < limit {
            if octets[index] == UInt8(ascii: "\"") { return index }
            index += octets[index] == UInt8(ascii: "\\") ? 2 : 1
        }
        return nil
    }

    /// Whether a colon follows the string that ends at `end`.
    private static func isName(_ octets: [UInt8], _ end: Int) -> Bool {
        octets[(end + 1)...].first { !$0.isBlank } == UInt8(ascii: ":")
    }

    private static func isPlain(_ name: ArraySlice<UInt8>) -> Bool {
        name.count <= ReportLimits.nameOctets && name.allSatisfy { $0 < 0x80 && $0 != UInt8(ascii: "\\") }
    }
}

extension String {
    /// For people: no control characters, and not long.
    fileprivate var cleaned: String {
        String(
            String.UnicodeScalarView(
                unicodeScalars.lazy.filter { $0.value >= 0x20 && $0.value != 0x7F }.prefix(ReportLimits.textCharacters))
        )
    }

    /// A name of a policy or a result; what is none is `unknown`.
    fileprivate var word: String {
        let isName =
            (1...60).contains(utf8.count)
            && utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2D }
        return isName ? self : "unknown"
    }

    /// Looks like an IP address.
    fileprivate var isAddress: Bool {
        (2...45).contains(utf8.count)
            && utf8.allSatisfy { TransferDecoding.hexadecimal($0) != nil || $0 == 0x2E || $0 == 0x3A }
    }
}
