/// Reads the small XML of reports: elements and their text. No document types, so no entities but the five of XML and
/// numbered characters; attributes are passed over, prefixes of names dropped. Anything else is refused.
///
/// Works on octets: what Swift does with Strings by character takes time that grows with the square of a run of
/// combining marks, so that nothing becomes a String before it is cut.
struct XMLReader {
    /// An element with the text right inside it.
    final class Element {
        let name: String
        fileprivate(set) var text: [UInt8] = []
        fileprivate(set) var children: [Element] = []

        fileprivate init(_ name: String) { self.name = name }

        subscript(name: String) -> Element? { children.first { $0.name == name } }

        func all(_ name: String) -> [Element] { children.filter { $0.name == name } }

        /// Without blanks around it, at most `limit` octets.
        func value(_ limit: Int = 255) -> String {
            String(decoding: text[text.trimmed(text.indices)].prefix(limit), as: UTF8.self)
        }
    }

    private let octets: [UInt8]
    private let mostElements: Int
    private var index = 0

    private static let depth = 16
    private static let longestName = 64
    /// Of what stands between `&` and `;`.
    private static let longestReference = 9

    /// - Returns: the outermost element; nil where this is no such XML.
    static func read(_ octets: [UInt8], mostElements: Int) -> Element? {
        var reader = XMLReader(octets, mostElements)
        return reader.document()
    }

    private init(_ octets: [UInt8], _ mostElements: Int) {
        self.octets = octets
        self.mostElements = mostElements
        if octets.starts(with: [0xEF, 0xBB, 0xBF]) { index = 3 }
    }

    private mutating func document() -> Element? {
        var open: [Element] = []
        var root: Element?
        var count = 0
        while index < octets.count {
            guard octets[index] == UInt8(ascii: "<") else {
                guard let text = takeText() else { return nil }
                if let element = open.last {
                    element.text += text
                } else if !text.allSatisfy(\.isBlank) {
                    return nil
                }
                continue
            }
            if starts("<!--") {
                guard skip(past: "-->") else { return nil }
            } else if starts("<?") {
                guard skip(past: "?>") else { return nil }
            } else if starts("<![CDATA[") {
                index += 9
                let start = index
                guard let element = open.last, skip(past: "]]>") else { return nil }
                element.text += octets[start..<(index - 3)]
            } else if starts("</") {
                index += 2
                guard let name = takeName(), blanksThen(">"), open.popLast()?.name == name else { return nil }
            } else {
                // `<!DOCTYPE` is no name, so it ends here.
                index += 1
                count += 1
                guard let name = takeName(), let isEmpty = attributes(), count <= mostElements else { return nil }
                let element = Element(name)
                if let parent = open.last {
                    parent.children.append(element)
                } else {
                    guard root == nil else { return nil }
                    root = element
                }
                if !isEmpty { open.append(element) }
                guard open.count <= Self.depth else { return nil }
            }
        }
        return open.isEmpty ? root : nil
    }

    private func starts(_ text: StaticString) -> Bool {
        guard index + text.utf8CodeUnitCount <= octets.count else { return false }
        let wanted = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        return octets[index..<(index + wanted.count)].elementsEqual(wanted)
    }

    private mutating func skip(past end: StaticString) -> Bool {
        while index < octets.count {
            if starts(end) {
                index += end.utf8CodeUnitCount
                return true
            }
            index += 1
        }
        return false
    }

    /// In small letters, without its prefix; nil for one that is long or not ASCII.
    private mutating func takeName() -> String? {
        let start = index
        while index < octets.count, octets[index].isNamePart { index += 1 }
        guard index > start, index - start <= Self.longestName else { return nil }
        let name = String(decoding: octets[start..<index], as: UTF8.self).lowercased()
        return name.split(separator: ":").last.map(String.init)
    }

    private mutating func blanksThen(_ end: Unicode.Scalar) -> Bool {
        while index < octets.count, octets[index].isBlank { index += 1 }
        guard index < octets.count, octets[index] == UInt8(ascii: end) else { return false }
        index += 1
        return true
    }

    /// - Returns: whether the element ends at once; nil for what is not XML.
    private mutating func attributes() -> Bool? {
        while index < octets.count {
            switch octets[index] {
            case UInt8(ascii: ">"):
                index += 1
                return false
            case UInt8(ascii: "/"):
                index += 1
                return blanksThen(">") ? true : nil
            case UInt8(ascii: "\""), UInt8(ascii: "'"):
                let quote = octets[index]
                guard let end = octets[(index + 1)...].firstIndex(of: quote) else { return nil }
                index = end + 1
            case UInt8(ascii: "="), 0x20, 0x09...0x0D: index += 1
            default: guard takeName() != nil else { return nil }
            }
        }
        return nil
    }

    /// Up to the next tag.
    private mutating func takeText() -> [UInt8]? {
        let end = octets.firstIndex(of: UInt8(ascii: "<"), in: index..<octets.count) ?? octets.count
        var text: [UInt8] = []
        while let mark = octets.firstIndex(of: UInt8(ascii: "&"), in: index..<end) {
            let limit = min(end, mark + Self.longestReference + 2)
            guard let semicolon = octets.firstIndex(of: UInt8(ascii: ";"), in: mark..<limit),
                let scalar = Self.scalar(String(decoding: octets[(mark + 1)..<semicolon], as: UTF8.self))
            else { return nil }
            text += octets[index..<mark]
            text += Array(String(scalar).utf8)
            index = semicolon + 1
        }
        text += octets[index..<end]
        index = end
        return text
    }

    /// - Parameter name: at most ``longestReference`` octets
    private static func scalar(_ name: String) -> Unicode.Scalar? {
        switch name {
        case "lt": return "<"
        case "gt": return ">"
        case "amp": return "&"
        case "quot": return "\""
        case "apos": return "'"
        default:
            guard name.first == "#" else { return nil }
            let digits = name.dropFirst()
            let number = digits.first == "x" ? UInt32(digits.dropFirst(), radix: 16) : UInt32(digits)
            return number.flatMap { Unicode.Scalar($0) }
        }
    }
}

extension UInt8 {
    fileprivate var isNamePart: Bool {
        switch self {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x3A, 0x5F: true
        default: false
        }
    }
}
