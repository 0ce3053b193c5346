import Yams

/// What stands at one place of a YAML file. Whoever reads it says what is expected, and gets that or a ``YAMLError``.
package struct YAMLValue {
    private let node: Node
    private let file: String
    private let path: String
    /// Where its key stands, or else the value itself.
    private let nameMark: Mark?

    init(_ node: Node, file: String) {
        self.init(node, file: file, path: "", nameMark: node.mark)
    }

    private init(_ node: Node, file: String, path: String, nameMark: Mark?) {
        self.node = node
        self.file = file
        self.path = path
        self.nameMark = nameMark
    }

    // MARK: Single values

    /// One value as it stands, whatever YAML would make of it: `2525`, `no` and `2026-11-21` are texts. It may be empty
    /// if it stands in quotes.
    package func text() throws(YAMLError) -> String {
        guard let scalar = node.scalar, scalar.style != .plain || !Self.nothing.contains(scalar.string) else {
            throw error(.wrongKind, "expected one value")
        }
        return scalar.string
    }

    /// A text that is not empty.
    package func word() throws(YAMLError) -> String {
        let text = try text()
        guard !text.isEmpty else { throw error(.wrongKind, "expected one value") }
        return text
    }

    package func number(_ range: ClosedRange<Int>) throws(YAMLError) -> Int {
        let text = try word()
        guard let number = Int(text), range.contains(number) else {
            throw error(.invalidValue, "\(text) is not a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    package func flag() throws(YAMLError) -> Bool {
        switch try word().lowercased() {
        case "true", "yes", "on": return true
        case "false", "no", "off": return false
        default: throw error(.invalidValue, "expected true or false")
        }
    }

    /// How YAML says that there is no value.
    private static let nothing: Set<String> = ["", "~", "null", "Null", "NULL"]

    // MARK: Lists

    package func list(most: Int = .max) throws(YAMLError) -> [YAMLValue] {
        guard let sequence = node.sequence, (1...most).contains(sequence.count) else {
            throw error(.wrongKind, "expected a list of \(most == .max ? "one or more" : "1 to \(most)")")
        }
        return sequence.enumerated().map { index, item in
            YAMLValue(item, file: file, path: path + "[\(index)]", nameMark: item.mark)
        }
    }

    /// A list of words, or a single word.
    package func words() throws(YAMLError) -> [String] {
        guard node.sequence != nil else { return [try word()] }
        var words: [String] = []
        for item in try list() { words.append(try item.word()) }
        return words
    }

    // MARK: Mappings

    /// The entries of a mapping whose keys are names that the file gives, in its order.
    package func entries() throws(YAMLError) -> [(name: String, value: YAMLValue)] {
        guard let mapping = node.mapping else { throw error(.wrongKind, "expected `key: value` lines") }
        var entries: [(name: String, value: YAMLValue)] = []
        for (key, value) in mapping {
            let name = try YAMLValue(key, file: file, path: path, nameMark: key.mark).word()
            entries.append((name, YAMLValue(value, file: file, path: path(to: name), nameMark: key.mark)))
        }
        return entries
    }

    /// The entries of a mapping that takes only these keys.
    package func fields(_ known: [String]) throws(YAMLError) -> YAMLFields {
        let entries = try entries()
        for (name, value) in entries where !known.contains(name) {
            let hint = Spelling.nearest(to: name, among: known).map { "; did you mean \($0)?" } ?? ""
            throw value.error(.unknownKey, "unknown key \(name)\(hint)", path: path)
        }
        return YAMLFields(self, entries)
    }

    private func path(to name: String) -> String {
        let isPlain = name.utf8.allSatisfy { octet in
            switch octet {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "_"), UInt8(ascii: "-"): true
            default: false
            }
        }
        return (path.isEmpty ? "" : path + ".") + (isPlain ? name : "\"\(name)\"")
    }

    // MARK: Errors

    /// What is wrong with the value.
    package func error(_ code: YAMLError.Code, _ detail: String) -> YAMLError {
        error(code, detail, at: node.mark, path: path)
    }

    /// Why the value is not taken.
    package func error(_ detail: String) -> YAMLError { error(.invalidValue, detail) }

    /// What is wrong with the key, or with its being there.
    package func nameError(_ code: YAMLError.Code, _ detail: String) -> YAMLError {
        error(code, detail, at: nameMark, path: path)
    }

    /// Why the key is not taken.
    package func nameError(_ detail: String) -> YAMLError { nameError(.invalidValue, detail) }

    private func error(_ code: YAMLError.Code, _ detail: String, path: String) -> YAMLError {
        error(code, detail, at: nameMark, path: path)
    }

    private func error(_ code: YAMLError.Code, _ detail: String, at mark: Mark?, path: String) -> YAMLError {
        YAMLError(code, file: file, line: mark?.line, column: mark?.column, path: path, detail: detail)
    }

    // MARK: Shape

    static let aliasesAreRefused = "anchors and aliases (&name, *name) are not taken here: write the value out"

    /// Looks at all of the tree, keys included, before anybody reads it.
    func checkShape(depth: Int) throws(YAMLError) {
        guard node.anchor == nil else { throw error(.unreadable, Self.aliasesAreRefused) }
        guard depth <= YAMLDocument.deepestNesting else {
            throw error(.unreadable, YAMLDocument.tooDeep)
        }
        if let mapping = node.mapping {
            for (key, value) in mapping {
                for part in [key, value] { try YAMLValue(part, file: file).checkShape(depth: depth + 1) }
            }
        }
        for item in node.sequence ?? [] { try YAMLValue(item, file: file).checkShape(depth: depth + 1) }
    }
}
