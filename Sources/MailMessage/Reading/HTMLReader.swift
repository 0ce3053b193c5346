/// The words of an HTML part, for looking for phrases and addresses in them: tags go, those that part lines become line
/// ends. Made for strangers' broken HTML, not for show; ``TextOfHTML`` writes what people read.
enum HTMLReader {
    static func text(of html: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(html.count)
        var index = 0
        while index < html.count {
            let octet = html[index]
            if octet == UInt8(ascii: "<"), let end = tagEnd(html, index) {
                result.append(partsLines(html, index + 1) ? UInt8(ascii: "\n") : 0x20)
                index = skipped(html, index, end) ?? end + 1
            } else if octet == UInt8(ascii: "&"), let (character, end) = reference(html, index) {
                result.append(character)
                index = end
            } else {
                result.append(octet)
                index += 1
            }
        }
        return result
    }

    /// `<` before a letter, a slash or a mark begins a tag, unless an address stands between it and `>`.
    private static func tagEnd(_ html: [UInt8], _ start: Int) -> Int? {
        guard start + 1 < html.count else { return nil }
        let next = html[start + 1].inLowerCase
        guard (0x61...0x7A).contains(next) || next == UInt8(ascii: "/") || next == UInt8(ascii: "!") else { return nil }
        let limit = min(html.count, start + 2_000)
        guard let end = html.firstIndex(of: UInt8(ascii: ">"), in: start..<limit) else { return nil }
        let inside = html[start..<end]
        return inside.contains(UInt8(ascii: "@")) && !inside.contains(0x20) ? nil : end
    }

    private static func partsLines(_ html: [UInt8], _ start: Int) -> Bool {
        let name = html[start] == UInt8(ascii: "/") ? start + 1 : start
        let tags: [StaticString] = ["br", "p", "div", "tr", "li", "h1", "h2", "h3", "hr", "table", "ul", "pre"]
        return tags.contains { tag in
            html.holds(tag, at: name, before: html.count)
        }
    }

    /// Where a style sheet or a script that begins here has ended.
    private static func skipped(_ html: [UInt8], _ start: Int, _ tagEnd: Int) -> Int? {
        guard
            html.holds("<style", at: start, before: html.count) || html.holds("<script", at: start, before: html.count)
        else { return nil }
        var index = tagEnd + 1
        while let next = html.firstIndex(of: UInt8(ascii: "<"), in: index..<html.count) {
            if html.holds("</style", at: next, before: html.count)
                || html.holds("</script", at: next, before: html.count)
            {
                return next
            }
            index = next + 1
        }
        return html.count
    }

    private static func reference(_ html: [UInt8], _ start: Int) -> (UInt8, end: Int)? {
        for (name, character) in references where html.holds(name, at: start, before: html.count) {
            return (character, start + name.utf8CodeUnitCount)
        }
        return nil
    }

    private static let references: [(StaticString, UInt8)] = [
        ("&lt;", 0x3C), ("&gt;", 0x3E), ("&amp;", 0x26), ("&quot;", 0x22), ("&nbsp;", 0x20), ("&#39;", 0x27),
        ("&#x27;", 0x27), ("&#64;", 0x40), ("&#160;", 0x20),
    ]
}
