package import MailTypes

/// The last entries of books and the last changes of limits, as somebody noted them outside the database. Both only grow:
/// later on each of these must still be there, as it was.
///
/// As text a line an account: its number, the entry's number and its chain value in hexadecimal digits, then the number of
/// the limit's last change and its link, which a version before did not note.
///
///     7 1204 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 1 60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752
package struct LedgerAnchors: Sendable, Hashable {
    package struct Head: Sendable, Hashable {
        /// 0 for books without entries.
        package let entry: Int64
        package let chain: [UInt8]
        /// Nil in what a version before has noted.
        package let limit: Limit?
    }

    package struct Limit: Sendable, Hashable {
        /// 0 where none is known.
        package let change: Int64
        package let link: [UInt8]
    }

    package private(set) var heads: [AccountID: Head] = [:]

    package init() {}

    /// - Throws: ``LedgerError/invalidAnchor(line:)`` for a line that is none, or an account named twice. Empty lines are
    ///   passed over.
    package init(text: String) throws(LedgerError) {
        for (place, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            var fields = line.split(separator: " ")[...]
            guard let first = fields.popFirst() else { continue }
            guard let account = AccountID(String(first)), heads[account] == nil, let entry = Self.link(&fields) else {
                throw .invalidAnchor(line: place + 1)
            }
            var limit: Limit?
            if !fields.isEmpty {
                guard let change = Self.link(&fields), fields.isEmpty else { throw .invalidAnchor(line: place + 1) }
                limit = Limit(change: change.number, link: change.octets)
            }
            note(account, entry.number, entry.octets, limit)
        }
    }

    package var text: String {
        heads.sorted { $0.key.rawValue < $1.key.rawValue }.map { account, head in
            let limit = head.limit.map { " " + Self.text($0.change, $0.link) } ?? ""
            return "\(account) " + Self.text(head.entry, head.chain) + limit + "\n"
        }.joined()
    }

    mutating func note(_ account: AccountID, _ entry: Int64, _ chain: [UInt8], _ limit: Limit?) {
        heads[account] = Head(entry: entry, chain: chain, limit: limit)
    }

    private static func text(_ number: Int64, _ octets: [UInt8]) -> String {
        "\(number)" + (octets.isEmpty ? "" : " " + octets.hexadecimal)
    }

    /// A number and, where it is not 0, 32 octets.
    private static func link(_ fields: inout ArraySlice<Substring>) -> (number: Int64, octets: [UInt8])? {
        guard let number = fields.popFirst().flatMap({ Int64($0) }), number >= 0 else { return nil }
        guard number > 0 else { return (0, []) }
        guard let octets = fields.popFirst().flatMap(octets), octets.count == 32 else { return nil }
        return (number, octets)
    }

    private static func octets(_ digits: Substring) -> [UInt8]? {
        guard digits.utf8.count.isMultiple(of: 2) else { return nil }
        var octets: [UInt8] = []
        var rest = digits[...]
        while !rest.isEmpty {
            guard let octet = UInt8(rest.prefix(2), radix: 16), rest.first != "+" else { return nil }
            octets.append(octet)
            rest = rest.dropFirst(2)
        }
        return octets
    }
}
