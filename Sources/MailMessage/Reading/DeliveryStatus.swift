package import MailTypes

/// A delivery status notification (RFC 3464), as far as it says anything.
package struct DeliveryStatus: Sendable {
    /// What a server says of one recipient (RFC 3464 §2.3).
    package struct Recipient: Sendable {
        /// The address we mailed, where it is told (§2.3.1); nil where what stands there is no mail address.
        package fileprivate(set) var original: String?
        /// Where the mail was to go in the end (§2.3.2).
        package fileprivate(set) var final: String?
        package fileprivate(set) var action: Action?
        package fileprivate(set) var status: EnhancedStatusCode?
        /// What stands behind the code, or in place of one.
        package fileprivate(set) var statusText: [UInt8] = []
        /// What the other server said (§2.3.6), without its type.
        package fileprivate(set) var diagnostic: [UInt8] = []
        fileprivate var isEmpty = true

        package var address: String? { original ?? final }

        /// Whether all addresses that are told lie in a domain of one label: no mail reaches such a one over the Internet
        /// (RFC 5321 §2.3.5). False where no address is told.
        package var isLocal: Bool {
            let domains = [original, final].compactMap { $0?.utf8.split(separator: UInt8(ascii: "@")).last }
            return !domains.isEmpty
                && domains.allSatisfy { !$0.contains(UInt8(ascii: ".")) && $0.first != UInt8(ascii: "[") }
        }
    }

    /// What has become of the mail (§2.3.3).
    package enum Action: Sendable {
        case failed
        case delayed
        /// delivered, relayed or expanded
        case delivered
    }

    package private(set) var reportingHost: String?
    /// At least one
    package private(set) var recipients: [Recipient] = []

    /// Nil where the text reports of no recipient.
    package init?(_ text: [UInt8]) {
        self.init(ReportFields(text))
    }

    package init?(_ fields: ReportFields) {
        var current = Recipient()
        for field in fields.fields where recipients.count < ReadingLimits.recipients {
            if begins(field, current) {
                recipients.append(current)
                current = Recipient()
            }
            take(field, &current)
        }
        if !current.isEmpty { recipients.append(current) }
        recipients.removeAll { $0.address == nil && $0.action == nil && $0.status == nil }
        guard !recipients.isEmpty else { return nil }
    }

    /// A group begins with a recipient where the one before has such a field, or an action, already.
    private func begins(_ field: ReportFields.Field, _ current: Recipient) -> Bool {
        guard !current.isEmpty else { return false }
        switch field.name {
        case "final-recipient": return current.final != nil || (field.beginsGroup && current.action != nil)
        case "original-recipient": return current.original != nil || (field.beginsGroup && current.action != nil)
        default: return false
        }
    }

    private mutating func take(_ field: ReportFields.Field, _ current: inout Recipient) {
        switch field.name {
        case "reporting-mta": reportingHost = reportingHost ?? Self.withoutType(field.value)
        case "final-recipient": current.final = current.final ?? Self.address(field.value)
        case "original-recipient": current.original = current.original ?? Self.address(field.value)
        case "x-actual-recipient": current.final = current.final ?? Self.address(field.value)
        case "action": current.action = current.action ?? Self.action(field.value)
        case "status":
            guard current.status == nil, current.statusText.isEmpty else { return }
            current.status = EnhancedStatusCode(leading: field.value)
            current.statusText = field.value
        case "diagnostic-code":
            if current.diagnostic.isEmpty { current.diagnostic = Array(Self.withoutTypeOctets(field.value)) }
        default: return
        }
        if field.name != "reporting-mta" { current.isEmpty = false }
    }

    /// Octets of a value of which Strings are made.
    private static let readOctets = 1_024

    private static func action(_ value: [UInt8]) -> Action? {
        let word = value.prefix(20).prefix { !$0.isBlank && $0 != UInt8(ascii: "(") && $0 != UInt8(ascii: ";") }
        switch String(decoding: word.map(\.inLowerCase), as: UTF8.self) {
        case "failed", "failure", "fail", "error", "expired", "undeliverable", "bounced", "rejected": return .failed
        case "delayed", "delay", "deferred": return .delayed
        case "delivered", "relayed", "expanded", "deliverable", "success", "delivery": return .delivered
        default: return nil
        }
    }

    /// `rfc822; jane@example.org`, with brackets and comments or without its type. Nil for an X.400 name and the like.
    static func address(_ value: [UInt8]) -> String? {
        var text = withoutTypeOctets(value)
        if let open = text.firstIndex(of: UInt8(ascii: "<")),
            let close = text[open...].firstIndex(of: UInt8(ascii: ">"))
        {
            text = text[(open + 1)..<close]
        }
        guard text.contains(UInt8(ascii: "{")) else { return AddressScanner.first(in: Array(text)) }
        return AddressScanner.first(in: Array(unescaped(String(decoding: text.prefix(readOctets), as: UTF8.self)).utf8))
    }

    /// `\x{1F408}` of RFC 6533 §3.
    private static func unescaped(_ text: String) -> String {
        var result = ""
        var rest = text[...]
        while let start = rest.firstRange(of: "\\x{"), let end = rest[start.upperBound...].firstIndex(of: "}"),
            let value = UInt32(rest[start.upperBound..<end], radix: 16), let scalar = Unicode.Scalar(value)
        {
            result += rest[..<start.lowerBound]
            result.unicodeScalars.append(scalar)
            rest = rest[rest.index(after: end)...]
        }
        return result + rest
    }

    private static func withoutType(_ value: [UInt8]) -> String {
        String(decoding: withoutTypeOctets(value).prefix(readOctets), as: UTF8.self)
    }

    /// What stands behind `dns;`, `smtp;`, `rfc822;` and the like.
    private static func withoutTypeOctets(_ value: [UInt8]) -> ArraySlice<UInt8> {
        guard let semicolon = value.prefix(40).firstIndex(of: UInt8(ascii: ";")),
            !value[..<semicolon].contains(UInt8(ascii: "@")), !value[..<semicolon].contains(UInt8(ascii: "<"))
        else { return value[...] }
        return value[(semicolon + 1)...].drop { $0.isBlank }
    }
}
