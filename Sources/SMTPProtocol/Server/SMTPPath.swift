/// An address as it stands between the angle brackets of MAIL and RCPT (RFC 5321 §4.1.2), without a source route.
///
/// A server must take forms that Sluice never sends to, such as `<postmaster>` and address literals, so this is wider
/// than `EmailAddress`. It holds no control characters. Its description hides the address.
package struct SMTPPath: Sendable, Hashable, CustomStringConvertible {
    /// `local@domain`, `postmaster`, or empty for the null reverse path.
    package let text: String
    /// Octets before the last `@`; all of them where there is none.
    package let localPartOctets: Int

    /// `<>`, the sender of reports (RFC 5321 §4.5.5).
    package static let null = SMTPPath(text: "", localPartOctets: 0)

    package var isNull: Bool { text.isEmpty }

    package var localPart: Substring {
        text[..<text.utf8.index(text.startIndex, offsetBy: localPartOctets)]
    }

    /// As written; empty where there is none.
    package var domain: Substring {
        guard localPartOctets < text.utf8.count else { return "" }
        return text[text.utf8.index(text.startIndex, offsetBy: localPartOctets + 1)...]
    }

    /// Whether it can only be carried under RFC 6531.
    package var needsSMTPUTF8: Bool { text.utf8.contains { $0 >= 0x80 } }

    package var description: String { isNull ? "<>" : "<redacted>" }
}

extension SMTPPath {
    /// - Parameter text: what stands between the brackets; nil where that is no path.
    package init?(_ text: String) {
        let bytes = Array("<\(text)>".utf8)
        guard !bytes.contains(where: SMTPReply.isControl), let (path, end) = Self.parse(bytes[...]), end == bytes.count
        else { return nil }
        self = path
    }

    /// Reads `<…>` at the start of `bytes`.
    ///
    /// - Returns: the path and the index behind `>`; nil where it is no path.
    static func parse(_ bytes: ArraySlice<UInt8>) -> (path: SMTPPath, end: Int)? {
        guard bytes.first == UInt8(ascii: "<") else { return nil }
        guard let end = closingBracket(bytes.dropFirst()) else { return nil }
        var inner = bytes[(bytes.startIndex + 1)..<end]
        // A source route is read and ignored (RFC 5321 appendix C).
        if inner.first == UInt8(ascii: "@") {
            guard let colon = inner.firstIndex(of: UInt8(ascii: ":")) else { return nil }
            inner = inner[(colon + 1)...]
            guard !inner.isEmpty else { return nil }
        }
        guard inner.count <= 512, let text = String(validating: inner, as: UTF8.self) else { return nil }
        if inner.isEmpty { return (.null, end + 1) }
        guard let at = inner.lastIndex(of: UInt8(ascii: "@")) else {
            // Only <postmaster> may come without a domain (RFC 5321 §4.1.1.3).
            guard text.lowercased() == "postmaster" else { return nil }
            return (SMTPPath(text: text, localPartOctets: inner.count), end + 1)
        }
        guard at > inner.startIndex, isDomain(inner[(at + 1)...]) else { return nil }
        return (SMTPPath(text: text, localPartOctets: at - inner.startIndex), end + 1)
    }

    /// The index of the `>` that is not inside a quoted local part.
    private static func closingBracket(_ bytes: ArraySlice<UInt8>) -> Int? {
        var quoted = false
        var escaped = false
        for index in bytes.indices {
            let byte = bytes[index]
            if escaped {
                escaped = false
            } else if quoted, byte == UInt8(ascii: "\\") {
                escaped = true
            } else if byte == UInt8(ascii: "\"") {
                quoted.toggle()
            } else if !quoted {
                if byte == UInt8(ascii: ">") { return index }
                if byte == UInt8(ascii: " ") || byte == UInt8(ascii: "<") { return nil }
            }
        }
        return nil
    }

    /// Letters, digits, hyphens and dots, UTF-8, or a bracketed literal.
    private static func isDomain(_ bytes: ArraySlice<UInt8>) -> Bool {
        guard let first = bytes.first, let last = bytes.last, bytes.count <= 255 else { return false }
        if first == UInt8(ascii: "[") { return last == UInt8(ascii: "]") && bytes.count > 2 }
        return bytes.allSatisfy { byte in
            switch byte {
            case 0x61...0x7A, 0x41...0x5A, 0x30...0x39, UInt8(ascii: "-"), UInt8(ascii: "."), 0x80...0xFF: true
            default: false
            }
        }
    }
}
