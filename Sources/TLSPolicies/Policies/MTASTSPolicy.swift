import MailTypes
package import SMTPTransport

/// A domain's word on how mail to it is protected (RFC 8461 §3.2).
package struct MTASTSPolicy: Sendable, Hashable {
    package enum Mode: String, Sendable, Hashable {
        /// Mail goes only to the hosts named, and only over TLS with a certificate that proves the host.
        case enforce
        /// Failures are reported, mail goes.
        case testing
        /// There is no policy any more.
        case none
    }

    package static let maximumOctets = 65_536
    /// Seconds: a year, which §3.2 sets as the most.
    package static let maximumAge = 31_557_600
    package static let maximumPatterns = 1_024

    package let mode: Mode
    /// Seconds for which the policy holds.
    package let maxAge: Int
    /// Names of hosts in lower case; `*.` stands for one label.
    package let patterns: [String]

    package init(mode: Mode, maxAge: Int, patterns: [String]) {
        self.mode = mode
        self.maxAge = min(max(maxAge, 0), Self.maximumAge)
        self.patterns = patterns
    }

    /// Reads a policy file. Unknown fields are passed over, of one that is repeated the first counts, `mx` excepted; all
    /// else that is not as it should be makes the whole file invalid.
    package init(parsing bytes: some Collection<UInt8>) throws(MTASTSFault) {
        guard bytes.count <= Self.maximumOctets else { throw Self.invalid("longer than 64 KiB") }
        var values: [String: String] = [:]
        var patterns: [String] = []
        var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            .map { $0.last == UInt8(ascii: "\r") ? $0.dropLast() : $0 }
        while lines.last?.allSatisfy(\.isBlank) == true { lines.removeLast() }
        for line in lines {
            guard let text = String(validating: line, as: UTF8.self), let colon = text.firstIndex(of: ":") else {
                throw Self.invalid("a line without a field")
            }
            let name = text[..<colon].trimmingBlanks
            guard !name.isEmpty, name.utf8.allSatisfy({ $0.isLetterOrDigit || "_-.".utf8.contains($0) }) else {
                throw Self.invalid("a field without a proper name")
            }
            let value = text[text.index(after: colon)...].trimmingBlanks
            if name == "mx" {
                guard let pattern = Self.pattern(value) else { throw Self.invalid("an mx that is no name") }
                guard patterns.count < Self.maximumPatterns else { throw Self.invalid("too many mx") }
                patterns.append(pattern)
            } else if values[String(name)] == nil {
                values[String(name)] = String(value)
            }
        }
        guard values["version"] == "STSv1" else { throw Self.invalid("no version STSv1") }
        guard let mode = values["mode"].flatMap(Mode.init(rawValue:)) else { throw Self.invalid("no mode") }
        guard let age = values["max_age"], (1...10).contains(age.utf8.count), age.utf8.allSatisfy(\.isDigit),
            let maxAge = Int(age)
        else { throw Self.invalid("no max_age") }
        guard mode == .none || !patterns.isEmpty else { throw Self.invalid("no mx") }
        self.init(mode: mode, maxAge: maxAge, patterns: patterns)
    }

    private static func invalid(_ reason: String) -> MTASTSFault { MTASTSFault(.stsPolicyInvalid, reason) }

    private static func pattern(_ text: Substring) -> String? {
        let name = text.hasPrefix("*.") ? text.dropFirst(2) : text
        guard let domain = try? DomainName(name) else { return nil }
        return text.hasPrefix("*.") ? "*.\(domain.text)" : domain.text
    }

    /// Whether the policy names a mail host (§4.1).
    package func names(_ host: String) -> Bool {
        let host = host.lowercased()
        return patterns.contains { pattern in
            guard pattern.hasPrefix("*.") else { return pattern == host }
            guard let dot = host.firstIndex(of: ".") else { return false }
            return dot != host.startIndex && host[dot...] == pattern.dropFirst()
        }
    }

    /// The fields, as reports quote them (RFC 8460 §4.4).
    package var lines: [String] {
        ["version: STSv1", "mode: \(mode.rawValue)"] + patterns.map { "mx: \($0)" } + ["max_age: \(maxAge)"]
    }
}

/// Why a domain's policy could not be had.
package struct MTASTSFault: Error, Sendable, Hashable, CustomStringConvertible {
    /// `stsPolicyFetchError`, `stsPolicyInvalid` or `stsWebPKIInvalid`.
    package let type: TLSResultType
    package let reason: String

    package init(_ type: TLSResultType, _ reason: String) {
        self.type = type
        self.reason = reason
    }

    package var description: String { "\(type.rawValue): \(reason)" }
}
