/// Makes a text part's template from the html's: its words with the links behind them, and the tags of the template
/// where they were.
///
/// Blocks become lines, list items get a dash or a number, the cells of a row stand on one line. Styles, scripts,
/// comments and what is hidden are left out. Breaks are written only before the next words, so that those of a section
/// belong to it.
struct TextOfHTML {
    struct Result {
        /// A template in the text's language; without words it is empty.
        var template: String
        /// Whether the html has something to see besides words.
        var showsImage: Bool
    }

    static func convert(_ html: String) -> Result {
        var converter = TextOfHTML(LineEnds.normalised(html), keepsTags: true)
        converter.run()
        return Result(
            template: converter.hasWords ? String(decoding: converter.output, as: UTF8.self) : "",
            showsImage: converter.showsImage)
    }

    /// The text of a value that is html. Braces in it are text.
    static func plain(_ html: [UInt8]) -> [UInt8] {
        guard html.contains(where: { $0 == UInt8(ascii: "<") || $0 == UInt8(ascii: "&") }) else { return html }
        var converter = TextOfHTML(html, keepsTags: false)
        converter.run()
        return converter.output
    }

    private struct Link {
        var url: [UInt8]
        /// Where its words start in the output.
        var start: Int
    }

    private struct List {
        var isOrdered: Bool
        var count = 0
        /// How many sections of the template are around it.
        var sections: Int
    }

    private let source: [UInt8]
    private let keepsTags: Bool
    private var index = 0
    private var output: [UInt8] = []
    private var showsImage = false
    private var hasWords = false
    /// Whether the last line of the output has words.
    private var lineHasWords = false
    private var pendingBreaks = 0
    private var pendingBlanks = 0
    private var pendingMarker: [UInt8] = []
    private var links: [Link] = []
    private var lists: [List] = []
    private var sections = 0
    private var preformatted = 0
    /// The element that is left out with all inside, and how many of its name are open.
    private var omitted: (name: String, depth: Int)?

    private init(_ source: [UInt8], keepsTags: Bool) {
        self.source = source
        self.keepsTags = keepsTags
    }

    private mutating func run() {
        while index < source.count {
            let byte = source[index]
            if keepsTags, byte == UInt8(ascii: "{"), let tag = templateTag() {
                pass(tag)
            } else if byte == UInt8(ascii: "<") {
                passMarkup()
            } else if byte == UInt8(ascii: "&"), let entity = HTMLEntity.decode(source[index...]) {
                index += entity.octets
                write(entity.text)
            } else {
                index += 1
                write(byte)
            }
        }
        closeLink()
    }

    // MARK: Tags of the template

    /// The whole tag at `index`, braces included; moves behind it.
    private mutating func templateTag() -> ArraySlice<UInt8>? {
        guard source[index...].starts(with: "{{".utf8) else { return nil }
        let braces = source[index...].starts(with: "{{{".utf8) ? 3 : 2
        var end = index + braces
        while end + braces <= source.count {
            if source[end..<end + braces].allSatisfy({ $0 == UInt8(ascii: "}") }) {
                defer { index = end + braces }
                return source[index..<end + braces]
            }
            end += 1
        }
        return nil
    }

    private mutating func pass(_ tag: ArraySlice<UInt8>) {
        switch tag.dropFirst(2).first(where: { $0 != 0x20 && $0 != 0x09 && $0 != 0x0A }) {
        case UInt8(ascii: "!"): return
        case UInt8(ascii: "#"), UInt8(ascii: "^"):
            sections += 1
            splitBreaksOfList()
            writeBlanks()
            append(tag: tag)
        case UInt8(ascii: "/"):
            sections -= 1
            writeBlanks()
            append(tag: tag)
        default:
            guard omitted == nil else { return }
            beginWords()
            append(tag: tag)
        }
    }

    /// The empty line before a list stands before the section that repeats its items, not before each of them.
    private mutating func splitBreaksOfList() {
        guard let list = lists.last, list.count == 0, pendingBreaks == 2 else { return }
        if hasWords { output.append(UInt8(ascii: "\n")) }
        pendingBreaks = 1
    }

    private mutating func append(tag: ArraySlice<UInt8>) {
        // Two braces of the text would make a tag with these.
        if output.last == UInt8(ascii: "{") { output.append(UInt8(ascii: " ")) }
        output.append(contentsOf: tag)
    }

    /// Sections inside what is left out stay, so that each still has its end.
    private mutating func passUnread(upTo end: Int) {
        while index < end {
            if keepsTags, source[index] == UInt8(ascii: "{"), let tag = templateTag() {
                let sign = tag.dropFirst(2).first
                if sign == UInt8(ascii: "#") || sign == UInt8(ascii: "^") || sign == UInt8(ascii: "/") { pass(tag) }
            } else {
                index += 1
            }
        }
    }

    // MARK: Words

    private mutating func write(_ text: String) {
        for byte in text.utf8 { write(byte) }
    }

    private mutating func write(_ byte: UInt8) {
        guard omitted == nil else { return }
        switch byte {
        case 0x0A where preformatted > 0:
            output.append(byte)
            lineHasWords = false
        case 0x20 where preformatted > 0: output.append(byte)
        case 0x20, 0x09...0x0D: pendingBlanks = max(pendingBlanks, 1)
        default:
            beginWords()
            // Two braces of the text are no tag.
            if keepsTags, byte == UInt8(ascii: "{"), output.last == byte { output.append(UInt8(ascii: " ")) }
            output.append(byte)
        }
    }

    /// Writes the breaks and blanks that stand before the next words.
    private mutating func beginWords() {
        if pendingBreaks > 0, hasWords || sections > 0 {
            while output.last == UInt8(ascii: " ") { output.removeLast() }
            output.append(contentsOf: repeatElement(UInt8(ascii: "\n"), count: pendingBreaks))
            lineHasWords = false
            pendingBlanks = 0
            if pendingMarker.isEmpty { output.append(contentsOf: repeatElement(0x20, count: lists.count * 2)) }
        }
        pendingBreaks = 0
        writeBlanks()
        output.append(contentsOf: pendingMarker)
        pendingMarker = []
        lineHasWords = true
        hasWords = true
    }

    private mutating func writeBlanks() {
        guard pendingBreaks == 0 else { return }
        if lineHasWords { output.append(contentsOf: repeatElement(UInt8(ascii: " "), count: pendingBlanks)) }
        pendingBlanks = 0
    }

    private mutating func breakLine(_ count: Int) {
        // A block that opens inside a list item starts on the item's line.
        guard omitted == nil, pendingMarker.isEmpty else { return }
        pendingBreaks = max(pendingBreaks, count)
    }

    // MARK: Markup

    private mutating func passMarkup() {
        let rest = source[index...]
        let next = index + 1 < source.count ? source[index + 1] : 0
        if rest.starts(with: "<!--".utf8) {
            passUnread(upTo: end(of: "-->", from: index + 4))
        } else if next == UInt8(ascii: "!") || next == UInt8(ascii: "?") {
            passUnread(upTo: end(of: ">", from: index + 2))
        } else if next == UInt8(ascii: "/") || Self.isLetter(next) {
            passTag(isEnd: next == UInt8(ascii: "/"))
        } else {
            index += 1
            write(UInt8(ascii: "<"))
        }
    }

    /// The position behind the first `text`, or the end.
    private func end(of text: StaticString, from start: Int) -> Int {
        let text = text.withUTF8Buffer { Array($0) }
        var position = start
        while position + text.count <= source.count {
            if source[position] == text[0], source[position..<position + text.count].elementsEqual(text) {
                return position + text.count
            }
            position += 1
        }
        return source.count
    }

    private mutating func passTag(isEnd: Bool) {
        index += isEnd ? 2 : 1
        let start = index
        while index < source.count, !Self.endsName(source[index]) { index += 1 }
        let name = String(decoding: source[start..<index], as: UTF8.self).lowercased()
        let attributes = readAttributes()
        if isEnd { endElement(name) } else { beginElement(name, attributes) }
    }

    /// The attributes up to `>`, by name in lower case; the values as in the source.
    private mutating func readAttributes() -> [String: ArraySlice<UInt8>] {
        var attributes: [String: ArraySlice<UInt8>] = [:]
        while index < source.count, source[index] != UInt8(ascii: ">") {
            if Self.isSpace(source[index]) || source[index] == UInt8(ascii: "/") {
                index += 1
            } else if source[index] == UInt8(ascii: "{"), templateTag() != nil {
                continue
            } else {
                let start = index
                index += 1
                while index < source.count, !Self.endsName(source[index]), source[index] != UInt8(ascii: "=") {
                    index += 1
                }
                let name = String(decoding: source[start..<index], as: UTF8.self).lowercased()
                attributes[name] = readValue()
            }
        }
        index = min(index + 1, source.count)
        return attributes
    }

    private mutating func readValue() -> ArraySlice<UInt8> {
        while index < source.count, Self.isSpace(source[index]) { index += 1 }
        guard index < source.count, source[index] == UInt8(ascii: "=") else { return [] }
        index += 1
        while index < source.count, Self.isSpace(source[index]) { index += 1 }
        guard index < source.count else { return [] }
        let quote = source[index]
        let isQuoted = quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'")
        if isQuoted { index += 1 }
        let start = index
        while index < source.count {
            if isQuoted ? source[index] == quote : Self.isSpace(source[index]) || source[index] == UInt8(ascii: ">") {
                break
            }
            if source[index] == UInt8(ascii: "{"), templateTag() != nil { continue }
            index += 1
        }
        defer { if isQuoted { index = min(index + 1, source.count) } }
        return source[start..<index]
    }

    private mutating func beginElement(_ name: String, _ attributes: [String: ArraySlice<UInt8>]) {
        if let open = omitted {
            if open.name == name, !Self.void.contains(name) { omitted = (name, open.depth + 1) }
            return
        }
        switch name {
        case "style", "script", "title":
            passUnread(upTo: rawEnd(of: name))
        case "svg", "template", "select", "object", "audio", "video", "math":
            showsImage = showsImage || !["template", "select"].contains(name)
            omitted = (name, 1)
        case _ where Self.isHidden(attributes) && !Self.void.contains(name): omitted = (name, 1)
        case "img":
            showsImage = true
            write(attribute: attributes["alt"] ?? [])
        case "br": if pendingMarker.isEmpty { pendingBreaks = min(2, pendingBreaks + 1) }
        case "hr":
            breakLine(1)
            if hasWords { write("---") }
            breakLine(1)
        case "a": openLink(attributes["href"] ?? [])
        case "ul", "ol":
            breakLine(lists.isEmpty ? 2 : 1)
            lists.append(List(isOrdered: name == "ol", sections: sections))
        case "li": openItem()
        case "td", "th": if lineHasWords, pendingBreaks == 0 { pendingBlanks = 2 }
        case "pre":
            breakLine(2)
            preformatted += 1
        default: breakLine(Self.breaks[name] ?? 0)
        }
        if let style = attributes["style"], String(decoding: style, as: UTF8.self).contains("url(") {
            showsImage = true
        }
        if attributes["background"] != nil { showsImage = true }
    }

    private mutating func endElement(_ name: String) {
        if let open = omitted {
            if open.name == name { omitted = open.depth > 1 ? (name, open.depth - 1) : nil }
            return
        }
        switch name {
        case "a": closeLink()
        case "ul", "ol":
            if !lists.isEmpty { lists.removeLast() }
            pendingMarker = []
            breakLine(lists.isEmpty ? 2 : 1)
        case "li":
            pendingMarker = []
            breakLine(1)
        case "pre":
            preformatted = max(0, preformatted - 1)
            breakLine(2)
        default: breakLine(Self.breaks[name] ?? 0)
        }
    }

    private mutating func openItem() {
        pendingMarker = []
        breakLine(1)
        let indent = Array(repeating: UInt8(ascii: " "), count: max(0, lists.count - 1) * 2)
        guard let list = lists.last else {
            pendingMarker = Array("- ".utf8)
            return
        }
        lists[lists.count - 1].count += 1
        // A section may repeat or drop items: then only the mails know the numbers.
        let isNumbered = list.isOrdered && list.sections == sections
        pendingMarker = indent + Array((isNumbered ? "\(list.count + 1). " : "- ").utf8)
    }

    private mutating func openLink(_ href: ArraySlice<UInt8>) {
        closeLink()
        links.append(Link(url: decoded(href), start: output.count))
    }

    /// Writes the link's URL behind its words, unless they say it already.
    private mutating func closeLink() {
        guard let link = links.popLast(), omitted == nil else { return }
        var url = link.url[...]
        while let last = url.last, Self.isSpace(last) { url.removeLast() }
        while let first = url.first, Self.isSpace(first) { url.removeFirst() }
        let lowered = String(decoding: url.prefix(11), as: UTF8.self).lowercased()
        guard !url.isEmpty, url.first != UInt8(ascii: "#"), lowered != "javascript:" else { return }
        if lowered.hasPrefix("mailto:") { url = url.dropFirst(7).prefix { $0 != UInt8(ascii: "?") } }
        let words = String(decoding: output[min(link.start, output.count)...], as: UTF8.self).trimmingSpaces()
        guard !Self.says(words, String(decoding: url, as: UTF8.self)) else { return }
        let hasOwnWords = words.contains { !BlankText.isInvisible($0) }
        if hasOwnWords {
            output.append(contentsOf: " [".utf8)
        } else {
            beginWords()
        }
        output.append(contentsOf: url)
        if hasOwnWords { output.append(UInt8(ascii: "]")) }
    }

    /// Whether words name the URL, with or without its scheme and its last slash.
    private static func says(_ words: String, _ url: String) -> Bool {
        func bare(_ text: String) -> String {
            var text = text
            for scheme in ["https://", "http://", "tel:"] where text.lowercased().hasPrefix(scheme) {
                text = String(text.dropFirst(scheme.count))
            }
            return text.hasSuffix("/") ? String(text.dropLast()) : text
        }
        let last = words.split(whereSeparator: \.isNewline).last.map(String.init) ?? words
        return bare(last.trimmingSpaces()).lowercased() == bare(url).lowercased()
    }

    private mutating func write(attribute: ArraySlice<UInt8>) {
        var inner = TextOfHTML(decoded(attribute), keepsTags: keepsTags)
        while inner.index < inner.source.count {
            if keepsTags, inner.source[inner.index] == UInt8(ascii: "{"), let tag = inner.templateTag() {
                pass(tag)
            } else {
                write(inner.source[inner.index])
                inner.index += 1
            }
        }
    }

    /// An attribute's value without entities; tags of the template stay as they are.
    private func decoded(_ value: ArraySlice<UInt8>) -> [UInt8] {
        var reader = TextOfHTML(Array(value), keepsTags: keepsTags)
        var decoded: [UInt8] = []
        while reader.index < reader.source.count {
            if keepsTags, reader.source[reader.index] == UInt8(ascii: "{"), let tag = reader.templateTag() {
                decoded.append(contentsOf: tag)
            } else if let entity = HTMLEntity.decode(reader.source[reader.index...]) {
                reader.index += entity.octets
                decoded.append(contentsOf: entity.text.utf8)
            } else {
                decoded.append(reader.source[reader.index])
                reader.index += 1
            }
        }
        return decoded
    }

    /// Where the raw text of a style, script or title ends.
    private func rawEnd(of name: String) -> Int {
        let closing = Array("</\(name)".utf8)
        var position = index
        while position + closing.count <= source.count {
            let found = source[position..<position + closing.count]
            if source[position] == UInt8(ascii: "<"),
                String(decoding: found, as: UTF8.self).lowercased().utf8.elementsEqual(closing)
            {
                return position
            }
            position += 1
        }
        return source.count
    }

    private static func isHidden(_ attributes: [String: ArraySlice<UInt8>]) -> Bool {
        if attributes["hidden"] != nil { return true }
        guard let style = attributes["style"] else { return false }
        let plain = String(decoding: style.filter { !isSpace($0) }, as: UTF8.self).lowercased()
        return plain.contains("display:none") || plain.contains("visibility:hidden")
    }

    private static let void: Set<String> = [
        "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr",
    ]

    /// Breaks around blocks: two leave an empty line.
    private static let breaks: [String: Int] = {
        var breaks: [String: Int] = [:]
        for name in ["p", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "dl", "figure", "fieldset"] {
            breaks[name] = 2
        }
        for name in [
            "div", "section", "article", "header", "footer", "main", "nav", "aside", "center", "form", "table", "tbody",
            "thead", "tfoot", "tr", "caption", "dt", "dd", "address", "figcaption", "body", "html", "head", "option",
        ] {
            breaks[name] = 1
        }
        return breaks
    }()

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

    private static func isLetter(_ byte: UInt8) -> Bool { (0x41...0x5A).contains(byte & 0xDF) && byte < 0x80 }

    private static func endsName(_ byte: UInt8) -> Bool {
        isSpace(byte) || byte == UInt8(ascii: ">") || byte == UInt8(ascii: "/")
    }
}
