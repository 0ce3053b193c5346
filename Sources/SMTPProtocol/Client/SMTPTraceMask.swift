import MailTypes

/// Takes people out of what a server says: local parts of all addresses, and those of the current transaction also where
/// they stand alone.
///
///     SMTPTraceMask(hiding: envelope).masked("550 5.1.1 <bob@example.org>: bob is unknown")
///     // "550 5.1.1 <***@example.org>: *** is unknown"
package struct SMTPTraceMask: Sendable, Hashable {
    package static let stars = "***"

    /// In lower case.
    private var words: [[UInt8]] = []

    package init() {}

    package init(hiding envelope: SMTPEnvelope) { hide(envelope) }

    /// Those of another transaction as well.
    package mutating func hide(_ envelope: SMTPEnvelope) {
        let sender = envelope.reversePath.utf8.lastIndex(of: UInt8(ascii: "@")).map {
            String(envelope.reversePath[..<$0])
        }
        for part in [envelope.recipient.localPart, envelope.recipient.bareLocalPart, sender ?? ""] where !part.isEmpty {
            words.append(Self.lowercased(part.utf8))
            // `bob+news` is known to its server as `bob`.
            if let plus = part.firstIndex(of: "+"), plus != part.startIndex {
                words.append(Self.lowercased(part[..<plus].utf8))
            }
        }
    }

    /// - Returns: the line without personal data and without anything that a terminal would act on.
    package func masked(_ line: String) -> String {
        var bytes = Array(Self.printable(line).utf8)
        for word in words { bytes = Self.masked(word, in: bytes) }
        return String(decoding: Self.maskedLocalParts(bytes), as: UTF8.self)
    }

    // MARK: Words

    private static func masked(_ word: [UInt8], in bytes: [UInt8]) -> [UInt8] {
        guard bytes.count >= word.count else { return bytes }
        let lower = lowercased(bytes)
        var result: [UInt8] = []
        var index = 0
        while index < bytes.count {
            let end = index + word.count
            if end <= bytes.count, lower[index..<end].elementsEqual(word),
                index == 0 || !isWordByte(bytes[index - 1]), end == bytes.count || !isWordByte(bytes[end])
            {
                result += Array(stars.utf8)
                index = end
            } else {
                result.append(bytes[index])
                index += 1
            }
        }
        return result
    }

    private static func isWordByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x80...0xFF: true
        default: false
        }
    }

    // MARK: Addresses

    /// Whatever stands before an `@`, or its encoded form, as far as a local part can reach.
    private static func maskedLocalParts(_ bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        for (index, byte) in bytes.enumerated() {
            let isEncoded =
                byte == UInt8(ascii: "%") && bytes[index...].starts(with: "%40".utf8)
                || byte == UInt8(ascii: "=") && bytes[index...].starts(with: "=40".utf8)
            if byte == UInt8(ascii: "@") || isEncoded {
                let length = result.count
                if result.last == UInt8(ascii: "\"") {
                    result.removeLast()
                    while let last = result.popLast(), last != UInt8(ascii: "\"") {}
                } else {
                    while let last = result.last, !isDelimiter(last) { result.removeLast() }
                }
                if result.count < length { result += Array(stars.utf8) }
            }
            result.append(byte)
        }
        return result
    }

    private static func isDelimiter(_ byte: UInt8) -> Bool { " \t<>()[]\",;:".utf8.contains(byte) }

    // MARK: Characters

    private static func lowercased(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        bytes.map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }
    }

    private static func printable(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            let acts = scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) || scalar.properties.isBidiControl
            result.append(acts ? "?" : scalar)
        }
        return String(result)
    }
}

extension SMTPClientCommand {
    /// The line for an operator's eyes: no local parts, no credentials.
    package var traceText: String {
        switch self {
        case .ehlo(let name): "EHLO \(name)"
        case .helo(let name): "HELO \(name)"
        case .startTLS: "STARTTLS"
        case .authPlain: "AUTH PLAIN \(SMTPTraceMask.stars)"
        case .authLogin: "AUTH LOGIN"
        case .authResponse: SMTPTraceMask.stars
        case .mail(let path, let parameters):
            "MAIL FROM:<\(Self.masked(path))>\(parameters.text)"
        case .rcpt(let address): "RCPT TO:<\(SMTPTraceMask.stars)@\(address.domain.text)>"
        case .data: "DATA"
        case .emptyMessage: "."
        case .reset: "RSET"
        case .quit: "QUIT"
        }
    }

    private static func masked(_ path: String) -> String {
        guard let at = path.lastIndex(of: "@") else { return path.isEmpty ? "" : SMTPTraceMask.stars }
        return SMTPTraceMask.stars + path[at...]
    }
}
