/// Follows a template's literals to know where a variable is a part of a URL: in html inside the attributes that hold
/// URLs, in text inside what starts with `http://` or `https://`, in a URI behind its scheme and host.
struct URLContext: Sendable {
    private enum State: Sendable, Hashable {
        case text
        /// Behind `<`: a tag's name.
        case tagName
        /// Inside a tag, between attributes.
        case tag
        case attributeName
        /// Behind `=`.
        case beforeValue
        /// In a value; 0 where it has no quotes.
        case value(quote: UInt8)
        case comment
        /// Inside `<style>` or `<script>`.
        case rawText
    }

    private static let attributes: Set<String> = [
        "href", "src", "action", "formaction", "background", "poster", "cite", "data", "longdesc",
    ]

    enum Kind: Sendable, Hashable {
        case html, text
        /// Nothing but a URI, of the web or `mailto:`.
        case uri
    }

    private let kind: Kind
    private var state = State.text
    private var name: [UInt8] = []
    private var tag: [UInt8] = []
    private var url = URLPrefix()

    init(_ kind: Kind) { self.kind = kind }

    /// Whether a variable here is a part of a URL.
    var isInURL: Bool {
        if kind == .uri, url.isInMailto { return true }
        guard kind == .html else { return url.isOfTheWeb && url.isBeforeComponent }
        guard case .value = state, Self.attributes.contains(String(decoding: name, as: UTF8.self)) else { return false }
        return url.isBeforeComponent
    }

    mutating func pass(_ literal: ArraySlice<UInt8>) {
        for byte in literal {
            if kind == .html { passHTML(byte) } else { passText(byte) }
        }
    }

    mutating func passVariable() {
        if kind == .html, state == .beforeValue { state = .value(quote: 0) }
        url.appendVariable()
    }

    private mutating func passText(_ byte: UInt8) {
        if Self.isSpace(byte) || "<>\"[](".utf8.contains(byte) { url.removeAll() } else { url.append(byte) }
    }

    private mutating func passHTML(_ byte: UInt8) {
        switch state {
        case .text:
            if byte == UInt8(ascii: "<") { begin(.tagName) }
        case .rawText, .comment: passUnread(byte)
        case .tagName: passTagName(byte)
        case .tag:
            if byte == UInt8(ascii: ">") {
                endTag()
            } else if !Self.isSpace(byte), byte != UInt8(ascii: "/") {
                name = [Self.lowercased(byte)]
                state = .attributeName
            }
        case .attributeName:
            switch byte {
            case UInt8(ascii: "="): state = .beforeValue
            case UInt8(ascii: ">"): endTag()
            case _ where Self.isSpace(byte): break
            default: if name.count < 16 { name.append(Self.lowercased(byte)) }
            }
        case .beforeValue: beginValue(byte)
        case .value(let quote):
            if quote == 0 ? Self.isSpace(byte) : byte == quote {
                state = .tag
            } else if quote == 0, byte == UInt8(ascii: ">") {
                endTag()
            } else {
                url.append(byte)
            }
        }
    }

    private mutating func begin(_ next: State) {
        state = next
        tag.removeAll(keepingCapacity: true)
    }

    private mutating func passTagName(_ byte: UInt8) {
        if byte == UInt8(ascii: ">") {
            endTag()
        } else if Self.isSpace(byte) {
            state = tag.isEmpty ? .text : .tag
        } else {
            if tag.count < 16 { tag.append(Self.lowercased(byte)) }
            if tag == Array("!--".utf8) { begin(.comment) }
        }
    }

    private mutating func beginValue(_ byte: UInt8) {
        url.removeAll()
        switch byte {
        case _ where Self.isSpace(byte): break
        case UInt8(ascii: "\""), UInt8(ascii: "'"): state = .value(quote: byte)
        case UInt8(ascii: ">"): endTag()
        default:
            state = .value(quote: 0)
            url.append(byte)
        }
    }

    private mutating func endTag() {
        let isRaw = tag == Array("style".utf8) || tag == Array("script".utf8)
        state = isRaw ? .rawText : .text
        if isRaw { tag.removeAll(keepingCapacity: true) }
    }

    /// Inside a comment up to `-->`, inside a style or script up to `</`.
    private mutating func passUnread(_ byte: UInt8) {
        tag.append(byte)
        if tag.count > 3 { tag.removeFirst() }
        if state == .comment {
            if tag == Array("-->".utf8) { begin(.text) }
        } else if tag.suffix(2) == Array("</".utf8)[...] {
            begin(.tagName)
            tag.append(UInt8(ascii: "/"))
        }
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

    private static func lowercased(_ byte: UInt8) -> UInt8 { (0x41...0x5A).contains(byte) ? byte | 0x20 : byte }
}
