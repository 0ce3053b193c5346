/// Finds mail addresses in text, as people and servers write them.
package enum AddressScanner {
    package struct Found: Sendable {
        package let text: String
        /// Of the text's octets.
        package let range: Range<Int>
    }

    /// The first address in the text.
    package static func first(in text: [UInt8]) -> String? {
        all(in: text, 0..<text.count, atMost: 1).first?.text
    }

    /// All addresses in `range`, in their order. Those inside a URL are left out.
    package static func all(in text: [UInt8], _ range: Range<Int>, atMost limit: Int = 100) -> [Found] {
        var found: [Found] = []
        var start = range.lowerBound
        while found.count < limit, let at = text.firstIndex(of: UInt8(ascii: "@"), in: start..<range.upperBound) {
            let local = localPart(text, before: at, from: start)
            let domain = self.domain(text, after: at, to: range.upperBound)
            start = max(domain.upperBound, at + 1)
            // Three dots stand for what somebody has cut away.
            guard !local.isEmpty, !domain.isEmpty, !text[local].suffix(3).elementsEqual("...".utf8),
                !isInURL(text, local.lowerBound, range.lowerBound)
            else { continue }
            let place = local.lowerBound..<domain.upperBound
            found.append(Found(text: String(decoding: text[place], as: UTF8.self), range: place))
        }
        return found
    }

    /// At most 64 octets are allowed (RFC 5321 §4.5.3.1.1); return paths in the field are longer.
    private static let longest = 256

    private static func localPart(_ text: [UInt8], before at: Int, from start: Int) -> Range<Int> {
        let start = max(start, at - longest)
        if at > start, text[at - 1] == UInt8(ascii: "\"") {
            var index = at - 2
            while index >= start, text[index] != UInt8(ascii: "\""), text[index] != UInt8(ascii: "\n") { index -= 1 }
            if index >= start, text[index] == UInt8(ascii: "\""), index + 2 < at { return index..<at }
            return at..<at
        }
        var index = at
        while index > start, isLocal(text[index - 1]) { index -= 1 }
        index = TypographicMark.endOfLast(in: text, index..<at) ?? index
        index = endOfLabel(text, index..<at)
        while index < at, leftovers.contains(text[index]) { index += 1 }
        return index..<at
    }

    /// What text leaves in front of an address; no address in the field begins with these.
    private static let leftovers: Set<UInt8> = Set("'.*|`={".utf8)

    /// Behind `to=` and the like. Elsewhere `=` belongs to the address, as in return paths that hold a recipient's.
    private static func endOfLabel(_ text: [UInt8], _ range: Range<Int>) -> Int {
        let labels: [StaticString] = [
            "mailto=", "to=", "orig_to=", "recipient=", "rcpt=", "address=", "email=", "user=",
        ]
        let label = labels.first { text.holds($0, at: range.lowerBound, before: range.upperBound) }
        return range.lowerBound + (label?.utf8CodeUnitCount ?? 0)
    }

    private static func isLocal(_ octet: UInt8) -> Bool {
        switch octet {
        case 0...0x20, 0x7F, UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "("), UInt8(ascii: ")"),
            UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: ":"), UInt8(ascii: ";"), UInt8(ascii: ","),
            UInt8(ascii: "\\"), UInt8(ascii: "\""), UInt8(ascii: "@"):
            false
        default: true
        }
    }

    private static func domain(_ text: [UInt8], after at: Int, to end: Int) -> Range<Int> {
        let start = at + 1
        let limit = min(end, start + longest)
        var index = start
        while index < limit, isDomain(text[index]), TypographicMark.length(in: text, at: index) == 0 { index += 1 }
        index = endOfTopLevel(text, start..<index)
        while index > start, trailing.contains(text[index - 1]) { index -= 1 }
        return start..<index
    }

    private static let trailing: Set<UInt8> = Set(".-_".utf8)

    /// A top level in ASCII ends where a script without spaces goes on: `bob@mail.example.jp` and the word behind it.
    private static func endOfTopLevel(_ text: [UInt8], _ domain: Range<Int>) -> Int {
        guard let dot = text[domain].lastIndex(of: UInt8(ascii: ".")), dot + 1 < domain.upperBound, text[dot + 1] < 0x80
        else { return domain.upperBound }
        return text[dot..<domain.upperBound].firstIndex { $0 >= 0xE0 } ?? domain.upperBound
    }

    private static func isDomain(_ octet: UInt8) -> Bool {
        switch octet {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"),
            UInt8(ascii: "#"), 0x80...0xFF:
            true
        default: false
        }
    }

    /// The address begins with `//`, or the octets before it, up to a blank, hold that.
    /// - Precondition: an octet follows the one at `index`
    private static func isInURL(_ text: [UInt8], _ index: Int, _ start: Int) -> Bool {
        guard index > start else { return false }
        // `//` is no beginning of a local part in the field.
        if text[index] == UInt8(ascii: "/"), text[index + 1] == UInt8(ascii: "/") { return true }
        let start = max(start, index - 200)
        var position = index
        while position > start, !text[position - 1].isBlank, text[position - 1] != UInt8(ascii: "<") {
            position -= 1
            if text[position] == UInt8(ascii: "/"), position > start, text[position - 1] == UInt8(ascii: "/") {
                return true
            }
        }
        return false
    }
}
