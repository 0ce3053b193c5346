import Foundation
package import MailTypes

/// The names below which anybody can register domains, as https://publicsuffix.org lists them, and the organisational
/// domain of a name: one label more than its public suffix.
///
/// The list changes every week, so it is read from the system's package and no part of this program.
package struct PublicSuffixes: Sendable {
    /// Of Debian's package `publicsuffix`.
    package static let file = "/usr/share/publicsuffix/public_suffix_list.dat"

    private var rules: Set<String> = []
    /// Of `*.ck`: `ck`.
    private var wildcards: Set<String> = []
    /// Of `!www.ck`: `www.ck`.
    private var exceptions: Set<String> = []

    /// The system's list, read once; nil where it cannot be read.
    package static let system: PublicSuffixes? = (try? String(contentsOfFile: file, encoding: .utf8)).map {
        PublicSuffixes(list: $0)
    }

    package init(list: String) {
        for line in list.split(whereSeparator: \.isNewline) where !line.hasPrefix("//") {
            guard let rule = line.split(whereSeparator: \.isWhitespace).first else { continue }
            if rule.hasPrefix("!") {
                exceptions.insert(Self.ascii(rule.dropFirst()))
            } else if rule.hasPrefix("*.") {
                wildcards.insert(Self.ascii(rule.dropFirst(2)))
            } else {
                rules.insert(Self.ascii(rule))
            }
        }
    }

    /// The list has names as people write them.
    private static func ascii(_ name: Substring) -> String {
        guard !name.utf8.allSatisfy({ $0 < 0x80 }) else { return name.lowercased() }
        // A domain has two labels at least, a public suffix may have one.
        return (try? DomainName("x." + name)).map { String($0.text.dropFirst(2)) } ?? name.lowercased()
    }

    package func contains(_ domain: DomainName) -> Bool { organisation(of: domain) == nil }

    /// The domain that its owner has registered; nil for a public suffix.
    package func organisation(of domain: DomainName) -> DomainName? {
        let labels = domain.text.split(separator: ".")
        let suffix = suffixLabels(labels)
        guard suffix < labels.count else { return nil }
        return try? DomainName(labels.suffix(suffix + 1).joined(separator: "."))
    }

    /// How many of the last labels are public. The longest rule prevails, an exception above all; without any, the last
    /// label is.
    private func suffixLabels(_ labels: [Substring]) -> Int {
        for start in labels.indices {
            let name = labels[start...].joined(separator: ".")
            let count = labels.count - start
            if exceptions.contains(name) { return count - 1 }
            if rules.contains(name) { return count }
            if count > 1, wildcards.contains(labels[(start + 1)...].joined(separator: ".")) { return count }
        }
        return 1
    }
}
