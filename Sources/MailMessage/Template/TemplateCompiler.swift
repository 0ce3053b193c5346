/// Reads one template in the language that `CompiledMessage` documents and compiles it to a `TemplateProgram`.
///
/// One pass over the octets: tags are found by their braces, sections kept on a stack until closed.
struct TemplateCompiler {
    /// What the template becomes.
    enum Target: Sendable, Hashable, CustomStringConvertible {
        case html
        case text
        /// The text part that is made from the html (``TextOfHTML``).
        case textOfHTML
        /// A header field's value, by the field's name.
        case header(String)
        /// A URI in a header field, by the field's name.
        case uri(String)

        var description: String {
            switch self {
            case .html: "html"
            case .text: "text"
            case .textOfHTML: "text of html"
            case .header(let name), .uri(let name): name
            }
        }
    }

    /// - Parameter roots: gains a slot for each top-level name.
    /// - Throws: `unbalancedTag`, `unknownSection`, `unsupportedTag`, `invalidTag`, `tooManyTags`, `sectionsTooDeep`.
    static func compile(
        _ source: String, as target: Target, roots: inout TemplateRoots, limits: MessageLimits
    ) throws(MessageError) -> TemplateProgram {
        var compiler = TemplateCompiler(source, target, roots, limits)
        try compiler.run()
        roots = compiler.roots
        return compiler.program
    }

    private struct OpenSection {
        var name: String
        var instruction: Int
        var position: Int
    }

    private enum Kind {
        case variable(isRaw: Bool)
        case section(inverted: Bool)
        case close
        case comment

        /// Whether the tag vanishes with its line if it stands alone there.
        var isSilent: Bool {
            if case .variable = self { false } else { true }
        }
    }

    private struct Tag {
        var kind: Kind
        /// Octets from the first brace to after the last.
        var range: Range<Int>
        /// What is between braces and signs.
        var content: ArraySlice<UInt8>
    }

    private let source: [UInt8]
    private let target: Target
    private let limits: MessageLimits
    private var roots: TemplateRoots
    private var program = TemplateProgram()
    private var nameIndices: [String: Int] = [:]
    private var open: [OpenSection] = []
    private var tagCount = 0
    /// Nil where values are never parts of URLs.
    private var urls: URLContext?

    private init(_ source: String, _ target: Target, _ roots: TemplateRoots, _ limits: MessageLimits) {
        self.source = LineEnds.normalised(source)
        self.target = target
        self.roots = roots
        self.limits = limits
        switch target {
        case .html: urls = URLContext(.html)
        case .text, .textOfHTML: urls = URLContext(.text)
        case .uri: urls = URLContext(.uri)
        case .header: urls = nil
        }
    }

    private mutating func run() throws(MessageError) {
        if target != .textOfHTML, let (position, advice) = TemplateDialect.foreignTag(in: source) {
            throw error(.unsupportedTag, at: position, advice)
        }
        var position = 0
        while let start = nextTag(from: position) {
            let tag = try readTag(at: start)
            tagCount += 1
            guard tagCount <= limits.tagCount else {
                throw MessageError(.tooManyTags, "\(target) has more than \(limits.tagCount) tags")
            }
            var text = position..<start
            position = tag.range.upperBound
            if tag.kind.isSilent, let line = ownLine(of: tag) {
                text = text.lowerBound..<line.lowerBound
                position = line.upperBound
            }
            appendLiteral(source[text])
            try append(tag)
        }
        appendLiteral(source[position...])
        if let unclosed = open.last {
            throw error(.unbalancedTag, at: unclosed.position, "section \(Self.shown(unclosed.name)) is not closed")
        }
    }

    // MARK: Finding tags

    private func nextTag(from position: Int) -> Int? {
        let brace = UInt8(ascii: "{")
        var index = position
        while index + 1 < source.count {
            if source[index + 1] != brace {
                index += 2
            } else if source[index] == brace {
                return index
            } else {
                index += 1
            }
        }
        return nil
    }

    private func readTag(at start: Int) throws(MessageError) -> Tag {
        let brace = UInt8(ascii: "{")
        if start + 2 < source.count, source[start + 2] == brace {
            let end = try closing(Array("}}}".utf8), after: start + 3, tag: start)
            return Tag(
                kind: .variable(isRaw: true), range: start..<end + 3, content: trimmed(source[start + 3..<end]))
        }
        let end = try closing(Array("}}".utf8), after: start + 2, tag: start)
        let range = start..<end + 2
        let content = trimmed(source[start + 2..<end])
        guard let sign = content.first else { throw error(.invalidTag, at: start, "an empty tag") }
        let after = trimmed(content.dropFirst())
        switch sign {
        case UInt8(ascii: "#"): return Tag(kind: .section(inverted: false), range: range, content: after)
        case UInt8(ascii: "^"): return Tag(kind: .section(inverted: true), range: range, content: after)
        case UInt8(ascii: "/"): return Tag(kind: .close, range: range, content: after)
        case UInt8(ascii: "!"):
            try checkComment(after, at: start)
            return Tag(kind: .comment, range: range, content: after)
        case UInt8(ascii: "&"): return Tag(kind: .variable(isRaw: true), range: range, content: after)
        case UInt8(ascii: ">"):
            throw error(.unsupportedTag, at: start, "partials ({{> }}) are not supported")
        case UInt8(ascii: "="):
            throw error(.unsupportedTag, at: start, "changing delimiters ({{= =}}) is not supported")
        case UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "|"), 0x30...0x39, 0x41...0x5A, 0x61...0x7A,
            0x80...0xFF:
            return Tag(kind: .variable(isRaw: false), range: range, content: content)
        default:
            let advice = TemplateDialect.advice(onName: String(decoding: content, as: UTF8.self), in: open.last?.name)
            throw error(.unsupportedTag, at: start, advice ?? "a tag starts with a sign that has no meaning")
        }
    }

    /// Handlebars' `{{!-- … --}}` may hold tags; ours would end at the first of them and show the rest to readers.
    private func checkComment(_ content: ArraySlice<UInt8>, at position: Int) throws(MessageError) {
        let dashes = Array("--".utf8)
        guard content.starts(with: dashes), !content.suffix(2).elementsEqual(dashes) else { return }
        throw error(.unsupportedTag, at: position, "a comment cannot hold tags; write {{! note }}")
    }

    private func closing(_ braces: [UInt8], after position: Int, tag: Int) throws(MessageError) -> Int {
        var index = position
        while index + braces.count <= source.count {
            if source[index] == UInt8(ascii: "}"), source[index..<index + braces.count].elementsEqual(braces) {
                return index
            }
            index += 1
        }
        throw error(.unbalancedTag, at: tag, "a tag is not closed by \(braces.count == 3 ? "}}}" : "}}")")
    }

    /// The whole line, with its line end, if nothing but blanks stands around the tag (mustache(5), standalone tags).
    /// Starts where the blanks before the tag start.
    private func ownLine(of tag: Tag) -> Range<Int>? {
        // Its lines are made, and those of a section belong to the section.
        guard target != .textOfHTML else { return nil }
        func isBlank(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
        var lower = tag.range.lowerBound
        while lower > 0, isBlank(source[lower - 1]) { lower -= 1 }
        guard lower == 0 || source[lower - 1] == UInt8(ascii: "\n") else { return nil }
        var upper = tag.range.upperBound
        while upper < source.count, isBlank(source[upper]) { upper += 1 }
        guard upper < source.count else { return lower..<upper }
        guard source[upper] == UInt8(ascii: "\n") else { return nil }
        return lower..<upper + 1
    }

    // MARK: Compiling

    private mutating func append(_ tag: Tag) throws(MessageError) {
        switch tag.kind {
        case .comment: break
        case .variable(let isRaw): try appendVariable(tag, isRaw: isRaw)
        case .section(let inverted): try openSection(tag, inverted: inverted)
        case .close: try closeSection(tag)
        }
    }

    private mutating func appendLiteral(_ text: ArraySlice<UInt8>) {
        guard !text.isEmpty else { return }
        program.instructions.append(.literal(program.literals.count))
        program.literals.append(Array(text))
        urls?.pass(text)
    }

    private func escaping(isRaw: Bool) -> ValueEscaping {
        if isRaw { return target == .textOfHTML ? .textOfHTML : .none }
        if urls?.isInURL == true { return .percent }
        return target == .html ? .html : .none
    }

    private mutating func appendVariable(_ tag: Tag, isRaw: Bool) throws(MessageError) {
        let escaping = escaping(isRaw: isRaw)
        var nameBytes = tag.content
        var fallback = -1
        if let bar = tag.content.firstIndex(of: UInt8(ascii: "|")) {
            nameBytes = trimmed(tag.content[..<bar])
            let text = trimmed(tag.content[(bar + 1)...])
            fallback = program.literals.count
            program.literals.append(escaping.apply(text))
        }
        let name = try name(nameBytes, at: tag.range.lowerBound)
        try checkFallback(tag, of: nameBytes)
        program.instructions.append(.variable(program.variables.count))
        program.variables.append(.init(name: name, escaping: escaping, fallback: fallback))
        urls?.passVariable()
    }

    private func checkFallback(_ tag: Tag, of name: ArraySlice<UInt8>) throws(MessageError) {
        guard let bar = tag.content.firstIndex(of: UInt8(ascii: "|")) else { return }
        let text = trimmed(tag.content[(bar + 1)...])
        let advice = TemplateDialect.advice(
            onFallback: String(decoding: text, as: UTF8.self), of: String(decoding: name, as: UTF8.self))
        if let advice { throw error(.unsupportedTag, at: tag.range.lowerBound, advice) }
    }

    private mutating func openSection(_ tag: Tag, inverted: Bool) throws(MessageError) {
        guard open.count < limits.sectionDepth else {
            throw error(
                .sectionsTooDeep, at: tag.range.lowerBound, "sections nest deeper than \(limits.sectionDepth)")
        }
        if let advice = TemplateDialect.advice(onSection: String(decoding: tag.content, as: UTF8.self)) {
            throw error(.unsupportedTag, at: tag.range.lowerBound, advice)
        }
        let name = try name(tag.content, at: tag.range.lowerBound)
        open.append(
            OpenSection(
                name: program.names[name].text, instruction: program.instructions.count,
                position: tag.range.lowerBound))
        program.instructions.append(.section(name: name, inverted: inverted, end: 0))
    }

    private mutating func closeSection(_ tag: Tag) throws(MessageError) {
        let name = String(decoding: tag.content, as: UTF8.self)
        guard let last = open.popLast() else {
            throw error(
                .unknownSection, at: tag.range.lowerBound, "\(Self.shown(name)) closes a section that was not opened")
        }
        guard last.name == name else {
            throw error(
                .unknownSection, at: tag.range.lowerBound,
                "\(Self.shown(name)) is closed where \(Self.shown(last.name)) is open")
        }
        guard case .section(let index, let inverted, _) = program.instructions[last.instruction] else {
            preconditionFailure("an open section always points at its instruction")
        }
        program.instructions[last.instruction] =
            .section(name: index, inverted: inverted, end: program.instructions.count)
    }

    private mutating func name(_ bytes: ArraySlice<UInt8>, at position: Int) throws(MessageError) -> Int {
        let text = String(decoding: bytes, as: UTF8.self)
        if let index = nameIndices[text], !program.names[index].isItem { return index }
        if let advice = TemplateDialect.advice(onName: text, in: open.last?.name) {
            throw error(.unsupportedTag, at: position, advice)
        }
        let name: TemplateName
        if text == "." {
            guard !open.isEmpty else { throw error(.invalidTag, at: position, "{{.}} stands outside any section") }
            name = TemplateName(text: text, first: text, rest: [], slot: -1, wholeSlot: -1)
        } else {
            let parts = text.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
            guard let first = parts.first, !parts.contains(where: \.isEmpty), bytes.allSatisfy(Self.isNameByte),
                bytes.count <= MessageLimits.variableNameOctets
            else { throw error(.invalidTag, at: position, Self.faultOfName(text)) }
            name = TemplateName(
                text: text, first: first, rest: Array(parts.dropFirst()), slot: roots.slot(for: first),
                wholeSlot: parts.count > 1 ? roots.slot(for: text) : -1)
        }
        nameIndices[text] = program.names.count
        program.names.append(name)
        return program.names.count - 1
    }

    /// Any character of a CSV column's name, blanks included, but not what shows that markup or text got in by mistake.
    private static func isNameByte(_ byte: UInt8) -> Bool {
        byte >= 0x20 && byte != 0x7F && !"{}<>\"|".utf8.contains(byte)
    }

    private static func faultOfName(_ name: String) -> String {
        let fault = "a tag's name is not one that a variable can have"
        let inner = TemplateName.shown(String(name.dropFirst()))
        return name.hasPrefix(".") && inner.hasPrefix("{{") ? "\(fault); write \(inner) without the dot" : fault
    }

    private static func shown(_ name: String) -> String { TemplateName.shown(name) }

    private func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0A }
        var bytes = bytes
        let noBreakSpace: [UInt8] = [0xC2, 0xA0]
        // Editors of html leave no-break spaces between braces.
        while true {
            if let first = bytes.first, isSpace(first) {
                bytes.removeFirst()
            } else if bytes.starts(with: noBreakSpace) {
                bytes.removeFirst(2)
            } else if let last = bytes.last, isSpace(last) {
                bytes.removeLast()
            } else if bytes.suffix(2).elementsEqual(noBreakSpace) {
                bytes.removeLast(2)
            } else {
                return bytes
            }
        }
    }

    private func error(_ code: MessageError.Code, at position: Int, _ detail: String) -> MessageError {
        let line = source[..<position].count { $0 == UInt8(ascii: "\n") } + 1
        return MessageError(code, "\(target), line \(line): \(detail)")
    }
}
