import MailMessage

/// A strict reader that shares no code with the writer: it refuses what a tolerant parser would forgive.
struct ReadMessage {
    struct Failure: Error, CustomStringConvertible {
        let description: String
        init(_ description: String) { self.description = description }
    }

    struct Part {
        /// Unfolded, in order.
        var fields: [(name: String, value: String)]
        var rawBody: [UInt8]
        var parts: [Part]
        /// After the transfer encoding.
        var content: [UInt8]

        func header(_ name: String) throws -> String {
            let found = fields.filter { $0.name.lowercased() == name.lowercased() }
            guard found.count == 1 else { throw Failure("\(found.count) fields called \(name)") }
            return found[0].value
        }

        func has(_ name: String) -> Bool { fields.contains { $0.name.lowercased() == name.lowercased() } }

        var type: String {
            get throws { String(try header("Content-Type").prefix { $0 != ";" }) }
        }

        /// Line ends as LF.
        var text: String {
            get throws {
                guard let text = String(validating: content, as: UTF8.self) else { throw Failure("not UTF-8") }
                return text.replacing("\r\n", with: "\n")
            }
        }

        /// `multipart/mixed(text/plain image/png)`
        var outline: String {
            get throws {
                let inner = try parts.map { try $0.outline }.joined(separator: " ")
                return try parts.isEmpty ? type : "\(type)(\(inner))"
            }
        }
    }

    let bytes: [UInt8]
    let root: Part
    let rawHeader: String

    init(_ message: RenderedMessage) throws {
        bytes = message.bytes
        try Self.checkLines(bytes)
        root = try Self.part(bytes[...])
        let header = bytes[..<message.bodyOffset]
        guard header.suffix(4).elementsEqual("\r\n\r\n".utf8) else { throw Failure("bodyOffset") }
        guard root.rawBody.elementsEqual(bytes[message.bodyOffset...]) else { throw Failure("bodyOffset is wrong") }
        rawHeader = String(decoding: header, as: UTF8.self)
        guard message.needsSMTPUTF8 || bytes.allSatisfy({ $0 < 0x80 }) else { throw Failure("8-bit octets") }
    }

    /// Decoded as RFC 2047 says.
    func header(_ name: String) throws -> String { try SimpleDecoders.encodedWords(root.header(name)) }

    var fieldNames: [String] { root.fields.map(\.name) }

    /// Lines without CRLF, header and body.
    static func lines(_ bytes: some Collection<UInt8>) -> [[UInt8]] {
        var lines: [[UInt8]] = [[]]
        for byte in bytes {
            if byte == UInt8(ascii: "\n") {
                lines[lines.count - 1].removeLast()
                lines.append([])
            } else {
                lines[lines.count - 1].append(byte)
            }
        }
        return lines
    }

    private static func checkLines(_ bytes: [UInt8]) throws {
        guard bytes.suffix(2).elementsEqual("\r\n".utf8) else { throw Failure("no CRLF at the end") }
        var length = 0
        var previous: UInt8 = 0
        for byte in bytes {
            if (byte == UInt8(ascii: "\n")) != (previous == UInt8(ascii: "\r")) { throw Failure("lone CR or LF") }
            if byte == UInt8(ascii: "\n") {
                guard length - 1 <= 998 else { throw Failure("a line of \(length - 1) octets") }
                length = 0
            } else {
                guard byte >= 0x20 || byte == 0x0D || byte == 0x09 else { throw Failure("control character \(byte)") }
                length += 1
            }
            previous = byte
        }
    }

    private static func part(_ bytes: ArraySlice<UInt8>) throws -> Part {
        guard let split = firstRange(of: "\r\n\r\n", in: bytes) else { throw Failure("no empty line") }
        let fields = try fields(bytes[..<(split.lowerBound + 2)])
        let body = Array(bytes[split.upperBound...])
        var part = Part(fields: fields, rawBody: body, parts: [], content: [])
        let type = try part.header("Content-Type")
        if type.hasPrefix("multipart/") {
            guard let boundary = try SimpleDecoders.parameters(type)["boundary"] else { throw Failure("no boundary") }
            part.parts = try split2046(body, boundary).map { try Self.part($0[...]) }
        } else {
            switch try part.header("Content-Transfer-Encoding") {
            case "quoted-printable": part.content = try SimpleDecoders.quotedPrintable(body)
            case "base64": part.content = try SimpleDecoders.base64Lines(body)
            case let other: throw Failure("transfer encoding \(other)")
            }
        }
        return part
    }

    private static func fields(_ bytes: ArraySlice<UInt8>) throws -> [(name: String, value: String)] {
        var fields: [(name: String, value: String)] = []
        for line in lines(bytes).dropLast().map({ String(decoding: $0, as: UTF8.self) }) {
            if line.hasPrefix(" ") {
                guard !fields.isEmpty, line.contains(where: { $0 != " " }) else { throw Failure("empty folded line") }
                fields[fields.count - 1].value += line
                continue
            }
            guard let colon = line.firstIndex(of: ":"), colon > line.startIndex else {
                throw Failure("no field: \(line)")
            }
            let name = line[..<colon]
            guard name.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else { throw Failure("field name \(name)") }
            fields.append((String(name), String(line[line.index(after: colon)...])))
        }
        return fields.map { ($0.name, $0.value.hasPrefix(" ") ? String($0.value.dropFirst()) : $0.value) }
    }

    private static func split2046(_ body: [UInt8], _ boundary: String) throws -> [[UInt8]] {
        let text = Array("\r\n".utf8) + body
        var parts: [[UInt8]] = []
        var rest = text[...]
        var isFirst = true
        while true {
            guard let mark = firstRange(of: "\r\n--\(boundary)", in: rest) else {
                throw Failure("no closing delimiter")
            }
            if isFirst {
                guard mark.lowerBound == 0 else { throw Failure("a preamble") }
            } else {
                parts.append(Array(rest[..<mark.lowerBound]))
            }
            isFirst = false
            rest = rest[mark.upperBound...]
            if rest.starts(with: "--\r\n".utf8) {
                guard rest.dropFirst(4).isEmpty || rest.dropFirst(4).elementsEqual("\r\n".utf8) else {
                    throw Failure("an epilogue")
                }
                return parts
            }
            guard rest.starts(with: "\r\n".utf8) else { throw Failure("text behind a delimiter") }
            rest = rest.dropFirst(2)
        }
    }

    private static func firstRange(of text: String, in bytes: ArraySlice<UInt8>) -> Range<Int>? {
        let pattern = Array(text.utf8)
        var index = bytes.startIndex
        while index + pattern.count <= bytes.endIndex {
            if bytes[index] == pattern[0], bytes[index..<index + pattern.count].elementsEqual(pattern) {
                return index..<index + pattern.count
            }
            index += 1
        }
        return nil
    }
}
