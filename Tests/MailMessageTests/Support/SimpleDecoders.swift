/// Decoders as short as the RFCs allow, and strict. They judge the encoders, so they share nothing with them.
enum SimpleDecoders {
    typealias Failure = ReadMessage.Failure

    /// RFC 2045 §6.7
    static func quotedPrintable(_ body: [UInt8]) throws -> [UInt8] {
        var decoded: [UInt8] = []
        var lines = ReadMessage.lines(body)
        guard lines.popLast() == [] else {
            // Between delimiters the last line's CRLF belongs to the delimiter; our text parts bring their own.
            throw Failure("quoted-printable does not end with CRLF")
        }
        for (number, line) in lines.enumerated() {
            guard line.count <= 76 else { throw Failure("a quoted-printable line of \(line.count)") }
            guard line.last != 0x20, line.last != 0x09 else { throw Failure("a blank at the end of a line") }
            var index = 0
            var isSoft = false
            while index < line.count {
                let byte = line[index]
                if byte != UInt8(ascii: "=") {
                    guard (0x20...0x7E).contains(byte) || byte == 0x09 else { throw Failure("octet \(byte)") }
                    decoded.append(byte)
                    index += 1
                } else if index == line.count - 1 {
                    isSoft = true
                    index += 1
                } else {
                    let digits = String(decoding: line[(index + 1)...].prefix(2), as: UTF8.self)
                    guard digits.count == 2, digits == digits.uppercased(), let value = UInt8(digits, radix: 16) else {
                        throw Failure("=\(digits)")
                    }
                    decoded.append(value)
                    index += 3
                }
            }
            if isSoft {
                guard number < lines.count - 1 else { throw Failure("= is the last octet") }
            } else {
                decoded += Array("\r\n".utf8)
            }
        }
        return decoded
    }

    /// RFC 2045 §6.8, lines full but the last. In a multipart the last CRLF belongs to the delimiter.
    static func base64Lines(_ body: [UInt8]) throws -> [UInt8] {
        var digits: [UInt8] = []
        digits.reserveCapacity(body.count)
        var start = 0
        while start < body.count {
            let end = body[start...].prefix(78).firstIndex(of: UInt8(ascii: "\r")) ?? body.count
            let isLast = end + 2 >= body.count
            guard end - start == 76 || (isLast && (1...76).contains(end - start)) else {
                throw Failure("a base64 line of \(end - start)")
            }
            guard end == body.count || body[end...].prefix(2).elementsEqual("\r\n".utf8) else {
                throw Failure("a lone CR")
            }
            digits += body[start..<end]
            start = end + 2
        }
        return try base64(digits)
    }

    static func base64(_ text: [UInt8]) throws -> [UInt8] {
        guard text.count % 4 == 0 else { throw Failure("base64 of \(text.count) characters") }
        let values = Self.base64Values
        var decoded: [UInt8] = []
        decoded.reserveCapacity(text.count)
        var group = 0
        var digits = 0
        for (index, byte) in text.enumerated() {
            guard byte != UInt8(ascii: "=") else {
                guard index >= text.count - 2 else { throw Failure("padding inside") }
                continue
            }
            guard values[Int(byte)] >= 0 else { throw Failure("base64 character \(byte)") }
            group = group << 6 | values[Int(byte)]
            digits += 1
            if digits == 4 {
                decoded += [UInt8(group >> 16 & 255), UInt8(group >> 8 & 255), UInt8(group & 255)]
                (group, digits) = (0, 0)
            }
        }
        switch digits {
        case 2: decoded.append(UInt8(group >> 4))
        case 3: decoded += [UInt8(group >> 10), UInt8(group >> 2 & 255)]
        case 0: break
        default: throw Failure("a torn base64 group")
        }
        return decoded
    }

    private static let base64Values: [Int] = {
        var values = [Int](repeating: -1, count: 256)
        let digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        for (value, digit) in digits.utf8.enumerated() { values[Int(digit)] = value }
        return values
    }()

    /// RFC 2047 for an unstructured field: words of ASCII stay, encoded words are decoded, each for itself, and blanks
    /// between two of them vanish.
    static func encodedWords(_ value: String) throws -> String {
        var decoded = ""
        var gap = ""
        var afterEncoded = false
        for piece in value.split(separator: " ", omittingEmptySubsequences: false) {
            if piece.hasPrefix("=?"), piece.hasSuffix("?="), piece.utf8.count > 4 {
                guard piece.utf8.count <= 75 else { throw Failure("an encoded word of \(piece.utf8.count)") }
                decoded += (afterEncoded ? "" : gap) + (try encodedWord(piece))
                afterEncoded = true
            } else {
                guard !piece.contains("=?") else { throw Failure("a word that looks encoded: \(piece)") }
                decoded += gap + piece
                afterEncoded = piece.isEmpty && afterEncoded
            }
            gap = " "
        }
        return decoded
    }

    private static func encodedWord(_ word: Substring) throws -> String {
        let fields = word.split(separator: "?", omittingEmptySubsequences: false)
        guard fields.count == 5, fields[1] == "utf-8" else { throw Failure("not an encoded word: \(word)") }
        let bytes: [UInt8]
        switch fields[2] {
        case "B": bytes = try base64(Array(fields[3].utf8))
        case "Q":
            let spaced = fields[3].replacing("_", with: "=20")
            guard spaced.utf8.allSatisfy({ (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "?") }) else {
                throw Failure("octets in a word")
            }
            bytes = try percentLike(Array(spaced.utf8), sign: UInt8(ascii: "="))
        default: throw Failure("encoding \(fields[2])")
        }
        // Fails if a character was split between words.
        guard let text = String(validating: bytes, as: UTF8.self) else { throw Failure("not UTF-8: \(word)") }
        return text
    }

    /// The parameters of a structured field, continuations joined (RFC 2231).
    static func parameters(_ value: String) throws -> [String: String] {
        var plain: [String: String] = [:]
        var pieces: [String: [Int: String]] = [:]
        for parameter in value.split(separator: ";").dropFirst() {
            let trimmed = parameter.drop { $0 == " " }
            guard let equals = trimmed.firstIndex(of: "=") else { throw Failure("no parameter: \(trimmed)") }
            var name = String(trimmed[..<equals])
            var text = String(trimmed[trimmed.index(after: equals)...])
            if text.hasPrefix("\"") { text = String(text.dropFirst().dropLast()) }
            guard name.contains("*") else {
                plain[name] = text
                continue
            }
            guard name.hasSuffix("*") else { throw Failure("parameter \(name)") }
            name.removeLast()
            if let star = name.firstIndex(of: "*") {
                guard let number = Int(name[name.index(after: star)...]) else { throw Failure("parameter \(name)") }
                pieces[String(name[..<star]), default: [:]][number] = text
            } else {
                pieces[name, default: [:]][0] = text
            }
        }
        for (name, numbered) in pieces {
            var joined = ""
            for number in 0..<numbered.count {
                guard let piece = numbered[number] else { throw Failure("piece \(number) is missing") }
                joined += piece
            }
            guard joined.hasPrefix("utf-8''") else { throw Failure("charset of \(name)") }
            let bytes = try percentLike(Array(joined.dropFirst(7).utf8), sign: UInt8(ascii: "%"))
            guard let text = String(validating: bytes, as: UTF8.self) else { throw Failure("not UTF-8") }
            plain[name] = text
        }
        return plain
    }

    private static func percentLike(_ text: [UInt8], sign: UInt8) throws -> [UInt8] {
        var bytes: [UInt8] = []
        var index = 0
        while index < text.count {
            guard text[index] == sign else {
                bytes.append(text[index])
                index += 1
                continue
            }
            let digits = String(decoding: text[(index + 1)...].prefix(2), as: UTF8.self)
            guard digits.count == 2, let value = UInt8(digits, radix: 16) else { throw Failure("\(digits)") }
            bytes.append(value)
            index += 3
        }
        return bytes
    }
}

extension SimpleDecoders {
    /// Each run of white space and control characters as one blank.
    static func collapsed(_ text: String) -> String {
        var collapsed = ""
        var isInRun = false
        for scalar in text.unicodeScalars {
            let isBlank = scalar.properties.isWhitespace || scalar.properties.generalCategory == .control
            if !isBlank { collapsed.unicodeScalars.append(scalar) } else if !isInRun { collapsed += " " }
            isInRun = isBlank
        }
        return collapsed
    }
}

extension String {
    func trimmingCharacters(_ character: Character) -> String {
        String(drop { $0 == character }.reversed().drop { $0 == character }.reversed())
    }
}
