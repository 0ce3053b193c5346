/// A report in the Abuse Reporting Format (RFC 5965, RFC 6591): somebody called a mail of ours spam, or it failed
/// authentication.
package struct ComplaintReport: Sendable {
    /// `abuse`, `fraud`, `virus`, `opt-out`, `not-spam`, `auth-failure`, `other` or what the report says, in small
    /// letters; `other` too for what is no name.
    package let feedbackType: String
    /// Whom it is about; empty where the provider hides it (RFC 6590).
    package let recipients: [String]

    /// Nil where the text is no such report.
    package init?(_ text: [UInt8]) {
        let fields = ReportFields(text)
        guard let type = fields.first("feedback-type") else { return nil }
        let word = type.prefix { !$0.isBlank && $0 != UInt8(ascii: ";") && $0 != UInt8(ascii: "(") }
        let isName = word.count <= ReadingLimits.nameOctets && word.allSatisfy { $0 < 0x80 }
        feedbackType = isName ? String(decoding: word.map(\.inLowerCase), as: UTF8.self) : "other"
        let stated = ["original-rcpt-to", "removal-recipient", "original-recipient"].flatMap { fields.all($0) }
        var seen: Set<String> = []
        recipients = stated.flatMap { AddressScanner.all(in: $0, $0.indices).map(\.text) }
            .filter { seen.insert($0.lowercased()).inserted }
    }
}
