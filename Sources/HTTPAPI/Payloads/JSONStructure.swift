import Foundation
import HTTPTypes

/// What a JSON body must fulfil before `JSONDecoder` sees it: UTF-8 (RFC 8259 §8.1), nesting within
/// ``APILimits/jsonDepth``, no name twice in one object (§4 leaves it open which of two values counts, and a gateway in
/// front may have looked at the other one), no name longer than any that is known. It walks the octets once, without
/// recursion, whatever they are; whether they are JSON at all is left to the decoder.
struct JSONStructure {
    /// Octets of a name. The decoder hashes names, and what it takes to normalise a run of combining marks grows with
    /// the square of its length.
    private static let nameOctets = 512

    private enum Container {
        case array
        /// - Parameters:
        ///   - names: those that have come.
        ///   - expectsName: whether the next string is one.
        case object(names: Set<[UInt8]>, expectsName: Bool)
    }

    private var containers: [Container] = []

    /// - Throws: `invalid_json`, `duplicate_field`
    static func check(_ body: [UInt8]) throws(Problem) {
        guard (try? UTF8Span(validating: body.span)) != nil else {
            throw .invalidJSON("The body is not valid UTF-8.")
        }
        var structure = JSONStructure()
        try structure.walk(body)
    }

    private mutating func walk(_ body: [UInt8]) throws(Problem) {
        var position = 0
        while position < body.count {
            let octet = body[position]
            switch octet {
            case UInt8(ascii: "\""):
                let end = Self.stringEnd(body, from: position + 1)
                try takeString(body[position..<end])
                position = end
                continue
            case UInt8(ascii: "{"): try open(.object(names: [], expectsName: true))
            case UInt8(ascii: "["): try open(.array)
            case UInt8(ascii: "}"), UInt8(ascii: "]"): _ = containers.popLast()
            case UInt8(ascii: ","): expectName()
            case 0x09, 0x0A, 0x0D: break
            case 0x00..<0x20: throw .invalidJSON("The body holds a control character.")
            default: break
            }
            position += 1
        }
    }

    private mutating func open(_ container: Container) throws(Problem) {
        guard containers.count < APILimits.jsonDepth else {
            throw .invalidJSON("The body is nested deeper than \(APILimits.jsonDepth) levels.")
        }
        containers.append(container)
    }

    private mutating func expectName() {
        guard case .object(let names, _)? = containers.popLast() else {
            containers.append(.array)
            return
        }
        containers.append(.object(names: names, expectsName: true))
    }

    /// - Parameter literal: with its quotes.
    private mutating func takeString(_ literal: ArraySlice<UInt8>) throws(Problem) {
        guard case .object(var names, true)? = containers.last else { return }
        // The only holder of the names may add to them without a copy.
        containers.removeLast()
        let name = Self.unescaped(literal)
        guard name.count <= Self.nameOctets else { throw .invalidJSON("A name is too long.") }
        guard names.insert(name).inserted else {
            throw .invalid(
                "duplicate_field", "A field stands twice in the body.",
                fields: [String(String(decoding: name, as: UTF8.self).prefix(64))])
        }
        containers.append(.object(names: names, expectsName: false))
    }

    /// The position behind the closing quote, or the end of a body that has none.
    private static func stringEnd(_ body: [UInt8], from start: Int) -> Int {
        var position = start
        while position < body.count {
            switch body[position] {
            case UInt8(ascii: "\""): return position + 1
            case UInt8(ascii: "\\"): position += 2
            default: position += 1
            }
        }
        return body.count
    }

    /// Two spellings of one name are one name.
    private static func unescaped(_ literal: ArraySlice<UInt8>) -> [UInt8] {
        guard literal.contains(UInt8(ascii: "\\")),
            let text = try? JSONDecoder().decode(String.self, from: Data(literal))
        else { return Array(literal.dropFirst().dropLast()) }
        return Array(text.utf8)
    }
}

extension Problem {
    static func invalidJSON(_ detail: String) -> Problem { Problem(.badRequest, "invalid_json", detail) }
}
