/// Parameters of Content-Type and Content-Disposition.
enum MIMEParameter {
    private static let lineOctets = 76

    /// `;`, a fold and `name=value`: a token or quoted string where the value is plain ASCII and fits on a line, else
    /// UTF-8 percent-encoded (RFC 2231 §4) and, if still too long, in numbered pieces (§3). No character is split
    /// between pieces.
    static func append(_ name: String, _ value: String, to output: inout [UInt8]) {
        let bytes = Array(value.utf8)
        if bytes.allSatisfy(isPlain), name.utf8.count + bytes.count + 4 < lineOctets {
            let quote = bytes.isEmpty || !bytes.allSatisfy(isAttributeCharacter) ? "\"" : ""
            output.append(contentsOf: ";\r\n \(name)=\(quote)\(value)\(quote)".utf8)
            return
        }
        let charset = "utf-8''"
        let characters = value.unicodeScalars.map { percentEncoded($0) }
        let length = characters.reduce(0) { $0 + $1.utf8.count }
        if name.utf8.count + length + charset.utf8.count + 4 < lineOctets {
            output.append(contentsOf: ";\r\n \(name)*=\(charset)\(characters.joined())".utf8)
            return
        }
        var number = 0
        var line = " \(name)*0*=\(charset)"
        for character in characters {
            if line.utf8.count + character.utf8.count + 1 > lineOctets {
                output.append(contentsOf: ";\r\n\(line)".utf8)
                number += 1
                line = " \(name)*\(number)*="
            }
            line += character
        }
        output.append(contentsOf: ";\r\n\(line)".utf8)
    }

    /// RFC 2045 §5.1
    static func isToken(_ byte: UInt8) -> Bool {
        (0x21...0x7E).contains(byte) && !"()<>@,;:\\\"/[]?=".utf8.contains(byte)
    }

    /// attribute-char of RFC 2231 §7. Also asked for outside that encoding: some readers take `'` and `%` in a bare token
    /// for a part of it.
    private static func isAttributeCharacter(_ byte: UInt8) -> Bool { isToken(byte) && !"*'%".utf8.contains(byte) }

    /// Safe inside quotes. A quote or backslash goes the percent-encoded way, since readers differ on escapes.
    private static func isPlain(_ byte: UInt8) -> Bool {
        (0x20...0x7E).contains(byte) && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
    }

    private static func percentEncoded(_ scalar: Unicode.Scalar) -> String {
        var text = ""
        for byte in String(scalar).utf8 {
            if isAttributeCharacter(byte) {
                text.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                text += "%"
                text.unicodeScalars.append(Unicode.Scalar(Hexadecimal.upperDigit(byte >> 4)))
                text.unicodeScalars.append(Unicode.Scalar(Hexadecimal.upperDigit(byte & 15)))
            }
        }
        return text
    }
}
