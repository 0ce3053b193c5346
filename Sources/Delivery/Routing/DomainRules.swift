package import MailTypes
package import TLSPolicies
package import TrafficShaping

/// The recipients' domains that a rule is for.
///
///     example.com     that domain alone
///     *.example.com   all domains below it, at any depth, and not itself; also written .example.com
///     *               every domain
package struct DomainPattern: Sendable, Hashable, CustomStringConvertible {
    /// Without the mark of what it covers; empty for every domain.
    fileprivate let suffix: String
    fileprivate let coversBelow: Bool

    /// - Throws: `AddressError` for what is no domain. Internationalised names are taken in either form.
    package init(_ text: String) throws(AddressError) {
        if text == "*" {
            (suffix, coversBelow) = ("", true)
        } else if text.hasPrefix("*.") || text.hasPrefix(".") {
            // A label in front, so that a top-level domain will do.
            let below = text.drop { $0 == "*" }
            suffix = String(try DomainName("x\(below)").text.dropFirst(2))
            coversBelow = true
        } else {
            (suffix, coversBelow) = (try DomainName(text).text, false)
        }
    }

    package var description: String { coversBelow ? suffix.isEmpty ? "*" : "*.\(suffix)" : suffix }
}

/// What the operator has said of mail to recipients' domains: the way it takes, the protection it must have, the addresses
/// that are connected to. The rule of the domain itself is asked first, then the one of the longest name that it lies
/// below; rules are not joined.
package struct DomainRules: Sendable, Hashable {
    package enum Way: Sendable, Hashable {
        /// As mail that no rule is for.
        case usual
        /// To the recipients' own servers.
        case direct
        /// By these, one or more, by ``Smarthost/name``: they share the mail by weight and stand in for each other.
        case smarthosts([String])
    }

    package struct Rule: Sendable, Hashable {
        package let pattern: DomainPattern
        package var way: Way
        /// The least protection on the way to the recipients' own servers, instead of the node's general one.
        package var tls: TLSRequirement?
        /// Which addresses of the recipients' own servers are connected to.
        package var family: AddressFamily

        package init(
            _ pattern: DomainPattern, way: Way = .usual, tls: TLSRequirement? = nil, family: AddressFamily = .any
        ) {
            self.pattern = pattern
            self.way = way
            self.tls = tls
            self.family = family
        }
    }

    private var rules: [DomainPattern: Rule] = [:]

    package init() {}

    /// - Returns: false where there is a rule for the pattern already, which stays.
    package mutating func add(_ rule: Rule) -> Bool {
        guard rules[rule.pattern] == nil else { return false }
        rules[rule.pattern] = rule
        return true
    }

    package var all: some Collection<Rule> { rules.values }

    /// The rule that mail to a domain follows; nil if none is for it.
    package func rule(for domain: DomainName) -> Rule? {
        guard !rules.isEmpty else { return nil }
        if let own = rules[DomainPattern(suffix: domain.text, coversBelow: false)] { return own }
        var rest = domain.text[...]
        while let dot = rest.firstIndex(of: ".") {
            rest = rest[rest.index(after: dot)...]
            if let rule = rules[DomainPattern(suffix: String(rest), coversBelow: true)] { return rule }
        }
        return rules[DomainPattern(suffix: "", coversBelow: true)]
    }
}

extension DomainPattern {
    fileprivate init(suffix: String, coversBelow: Bool) {
        self.suffix = suffix
        self.coversBelow = coversBelow
    }
}
