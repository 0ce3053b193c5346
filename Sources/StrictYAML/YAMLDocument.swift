import Yams

/// A YAML file that people write for Sluice, read strictly: each mistake is an error with its place, and nothing is
/// passed over.
///
///     let file = try YAMLDocument.read("helo: mail.example.net", named: "sluice.yaml")
///     let helo = try file.fields(["helo", "http"])["helo"]?.text()
///
/// A file is bounded in size and depth. Anchors and aliases are refused: nobody needs them in files of this size, and a
/// few lines of them can stand for gigabytes.
package enum YAMLDocument {
    package static let largestOctets = 256 << 10
    static let deepestNesting = 16
    static let tooDeep = "nested more than \(deepestNesting) deep"
    /// More are refused before the parser sees them. It compares keys in full, and a key may be an alias of a list of
    /// aliases; so few cannot keep it busy.
    static let mostAliases = 32

    /// - Parameter file: what errors call it.
    /// - Returns: what the file holds; for an empty one, a mapping without entries.
    /// - Throws: ``YAMLError``, which quotes keys and no values.
    package static func read(_ text: String, named file: String) throws(YAMLError) -> YAMLValue {
        guard text.utf8.count <= largestOctets else {
            throw YAMLError(.unreadable, file: file, detail: "larger than \(largestOctets >> 10) KiB")
        }
        guard
            names(behind: UInt8(ascii: "*"), in: text) <= mostAliases
                || names(behind: UInt8(ascii: "&"), in: text) == 0
        else {
            throw YAMLError(.unreadable, file: file, detail: YAMLValue.aliasesAreRefused)
        }
        let parser: Parser
        let root: Node
        do {
            parser = try Parser(yaml: text)
            root = try parser.singleRoot() ?? Node([(Node, Node)]())
        } catch {
            throw YAMLError(error, in: file)
        }
        // Nodes know their anchors as long as there is the parser.
        defer { withExtendedLifetime(parser) {} }
        let value = YAMLValue(root, file: file)
        try value.checkShape(depth: 1)
        return value
    }

    /// How often a name stands behind the sign where a value may begin. Quotes and comments are not looked at.
    private static func names(behind sign: UInt8, in text: String) -> Int {
        var count = 0
        var (last, isBehindSign) = (UInt8(ascii: "\n"), false)
        for octet in text.utf8 {
            if isBehindSign, isOfName(octet) { count += 1 }
            isBehindSign = octet == sign && !isOfName(last)
            last = octet
        }
        return count
    }

    private static func isOfName(_ octet: UInt8) -> Bool {
        switch octet {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }
}

extension YAMLError {
    /// The parser's own words name what it misses, and quote nothing. Its other texts do, and are left out.
    fileprivate init(_ error: any Error, in file: String) {
        switch error as? YamlError {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            // The parser has a bound of its own, and advice for programmers.
            let isTooDeep = problem.hasPrefix("Maximum nesting level")
            self.init(
                .unreadable, file: file, line: mark.line, column: mark.column,
                detail: isTooDeep ? YAMLDocument.tooDeep : "not YAML: \(problem)")
        case .duplicatedKeysInMapping(let keys, let context):
            self.init(
                .duplicate, file: file, line: context.mark.line, column: context.mark.column,
                detail: "given twice: \(keys.joined(separator: ", "))")
        default: self.init(.unreadable, file: file, detail: "not YAML")
        }
    }
}
