/// The local part of an address: dot-atom or quoted string (RFC 5321 §4.1.2, RFC 6531 §3.3).
enum LocalPart {
    /// The spelling with the least quoting that means the same mailbox.
    static func plainest(_ written: ArraySlice<UInt8>) throws(AddressError) -> String {
        if isPlain(written) { return String(decoding: written, as: UTF8.self) }
        let content =
            written.first == UInt8(ascii: "\"") ? try unquoted(written) : try checkedAtoms(written)
        guard content.count <= MailLimits.localPartOctets else { throw .localPartTooLong }
        let spelling = isDotAtom(content) ? content : quoted(content)
        guard spelling.count <= MailLimits.localPartOctets else { throw .localPartTooLong }
        guard let text = String(validating: spelling, as: UTF8.self) else { throw .notUTF8 }
        if let hidden = text.unicodeScalars.first(where: { $0 != " " && $0.isInvisible }) {
            throw .character(hidden, .localPart)
        }
        return text
    }

    /// Whether this is a dot-atom of ASCII and short enough, and so its own plainest spelling: nearly every local part.
    static func isPlain(_ written: some Collection<UInt8>) -> Bool {
        written.count <= MailLimits.localPartOctets && written.allSatisfy { $0 < 0x80 } && isDotAtom(written)
    }

    /// What a checked spelling stands for.
    static func content(_ spelling: String) -> String {
        guard spelling.utf8.first == UInt8(ascii: "\""), let content = try? unquoted(Array(spelling.utf8)[...]) else {
            return spelling
        }
        return String(decoding: content, as: UTF8.self)
    }

    /// - Throws: ``AddressError/character(_:_:)`` for one that only quotes would allow. Dots may stand anywhere.
    private static func checkedAtoms(_ local: ArraySlice<UInt8>) throws(AddressError) -> [UInt8] {
        for byte in local where byte != UInt8(ascii: ".") && !isAtomText(byte) {
            throw .character(Unicode.Scalar(byte), .localPart)
        }
        return Array(local)
    }

    /// The content of a quoted string.
    private static func unquoted(_ local: ArraySlice<UInt8>) throws(AddressError) -> [UInt8] {
        let quote = UInt8(ascii: "\"")
        let backslash = UInt8(ascii: "\\")
        guard local.count >= 2, local.last == quote else { throw .character("\"", .localPart) }
        var content: [UInt8] = []
        var escaped = false
        for (index, byte) in zip(local.indices, local).dropFirst().dropLast() {
            if escaped {
                // A backslash quotes ASCII only (RFC 5321 §4.1.2, quoted-pairSMTP).
                guard byte < 0x80 else { throw .character(try scalar(at: index, of: local), .localPart) }
                content.append(byte)
                escaped = false
            } else if byte == backslash {
                escaped = true
            } else if byte == quote {
                throw .character("\"", .localPart)
            } else {
                content.append(byte)
            }
        }
        guard !escaped else { throw .character("\\", .localPart) }
        return content
    }

    private static func scalar(at index: Int, of local: ArraySlice<UInt8>) throws(AddressError) -> Unicode.Scalar {
        guard let text = String(validating: local[index...], as: UTF8.self), let first = text.unicodeScalars.first
        else { throw .notUTF8 }
        return first
    }

    private static func quoted(_ content: [UInt8]) -> [UInt8] {
        var spelling = [UInt8(ascii: "\"")]
        for byte in content {
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { spelling.append(UInt8(ascii: "\\")) }
            spelling.append(byte)
        }
        spelling.append(UInt8(ascii: "\""))
        return spelling
    }

    private static func isDotAtom(_ content: some Collection<UInt8>) -> Bool {
        var afterDot = true
        for byte in content {
            let isDot = byte == UInt8(ascii: ".")
            guard isDot ? !afterDot : isAtomText(byte) else { return false }
            afterDot = isDot
        }
        return !afterDot
    }

    /// RFC 5322 §3.2.3, and UTF-8 (RFC 6532 §3.2).
    private static func isAtomText(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x61...0x7A, 0x41...0x5A, 0x30...0x39, 0x80...0xFF: true
        case UInt8(ascii: "!"), UInt8(ascii: "#"), UInt8(ascii: "$"), UInt8(ascii: "%"), UInt8(ascii: "&"),
            UInt8(ascii: "'"), UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "/"),
            UInt8(ascii: "="), UInt8(ascii: "?"), UInt8(ascii: "^"), UInt8(ascii: "_"), UInt8(ascii: "`"),
            UInt8(ascii: "{"), UInt8(ascii: "|"), UInt8(ascii: "}"), UInt8(ascii: "~"):
            true
        default: false
        }
    }
}
