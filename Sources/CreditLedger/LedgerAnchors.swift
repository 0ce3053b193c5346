package import MailTypes

/// The last entries of books, as somebody noted them outside the database. Books only grow: later on each of these entries
/// must still be there, as it was.
///
/// As text a line an account: its number, the entry's number, and its chain value in hexadecimal digits.
///
///     7 1204 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
package struct LedgerAnchors: Sendable, Hashable {
    package struct Head: Sendable, Hashable {
        /// 0 for books without entries.
        package let entry: Int64
        package let chain: [UInt8]
    }

    package private(set) var heads: [AccountID: Head] = [:]

    package init() {}

    /// - Throws: ``LedgerError/invalidAnchor(line:)`` for a line that is none, or an account named twice. Empty lines are
    ///   passed over.
    package init(text: String) throws(LedgerError) {
        for (place, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let fields = line.split(separator: " ")
            if fields.isEmpty { continue }
            guard fields.count <= 3, fields.count >= 2, let account = AccountID(String(fields[0])),
                let entry = Int64(fields[1]), entry >= 0, heads[account] == nil,
                let chain = Self.octets(fields.count == 3 ? fields[2] : ""), chain.count == (entry > 0 ? 32 : 0)
            else { throw .invalidAnchor(line: place + 1) }
            note(account, entry, chain)
        }
    }

    package var text: String {
        heads.sorted { $0.key.rawValue < $1.key.rawValue }.map { account, head in
            "\(account) \(head.entry)" + (head.chain.isEmpty ? "" : " " + head.chain.hexadecimal) + "\n"
        }.joined()
    }

    mutating func note(_ account: AccountID, _ entry: Int64, _ chain: [UInt8]) {
        heads[account] = Head(entry: entry, chain: chain)
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
