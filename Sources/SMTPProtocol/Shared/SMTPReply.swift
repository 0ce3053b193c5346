package import MailTypes
package import NIOCore

/// What a server answers to a command (RFC 5321 §4.2), with the enhanced status code taken out of the text
/// (RFC 2034).
///
/// `550-5.1.1 No such user` / `550 5.1.1 See our help page` is
/// `SMTPReply(550, EnhancedStatusCode("5.1.1"), ["No such user", "See our help page"])`.
///
/// The text comes from a stranger and may name the recipient: show it to the account that owns the recipient, never
/// in logs. `description` leaves it out.
package struct SMTPReply: Sendable, Hashable {
    /// 200…599
    package let code: Int
    package let enhanced: EnhancedStatusCode?
    /// The text of each line, without codes and line ends. Replies from the parser hold no control characters and
    /// are bounded by ``SMTPLimits``.
    package var lines: [String] { firstLine.map { [$0] + furtherLines } ?? [] }
    /// Apart from the others, of which most replies have none.
    private let firstLine: String?
    private let furtherLines: [String]

    /// - Parameter code: 200…599; anything else is our own bug and stops the program.
    package init(_ code: Int, _ enhanced: EnhancedStatusCode? = nil, _ lines: [String] = []) {
        self.init(code, enhanced, lines.first, Array(lines.dropFirst()))
    }

    package init(_ code: Int, _ enhanced: EnhancedStatusCode? = nil, _ line: String) {
        self.init(code, enhanced, line, [])
    }

    private init(_ code: Int, _ enhanced: EnhancedStatusCode?, _ firstLine: String?, _ furtherLines: [String]) {
        precondition((200...599).contains(code), "a reply code is 200…599")
        self.code = code
        self.enhanced = enhanced
        self.firstLine = firstLine
        self.furtherLines = furtherLines
    }

    /// 2yz: done.
    package var isPositive: Bool { code < 300 }
    /// 3yz: the server waits for more, such as the content after `354`.
    package var isIntermediate: Bool { (300..<400).contains(code) }
    /// 4yz: refused for now.
    package var isTransient: Bool { (400..<500).contains(code) }
    /// 5yz: refused for good.
    package var isPermanent: Bool { code >= 500 }
    /// 421: the server is about to close the connection; it may say so at any time (RFC 5321 §3.8).
    package var closesConnection: Bool { code == 421 }

    /// Whether the server, answering a first command, speaks of the connection and not of the command: 421, 221, or an
    /// enhanced code x.4.2 (RFC 3463 §3.5: bad connection), as some write when a connection was idle for too long.
    package var endsConnection: Bool {
        closesConnection || code == 221 || isTransient && enhanced?.subject == 4 && enhanced?.detail == 2
    }

    /// The lines joined by a space, for classifying and storing.
    package var text: String {
        furtherLines.isEmpty ? firstLine ?? "" : lines.joined(separator: " ")
    }

    /// Writes the reply as it goes over the wire, with the enhanced code on each line.
    ///
    /// CR, LF and other controls in the text become `?`, so that a reply can never be split in two.
    package func encode(into buffer: inout ByteBuffer) {
        let count = max(lines.count, 1)
        for index in 0..<count {
            buffer.writeString(String(code))
            buffer.writeInteger(index + 1 < count ? UInt8(ascii: "-") : UInt8(ascii: " "))
            if let enhanced {
                buffer.writeString(enhanced.description)
                buffer.writeInteger(UInt8(ascii: " "))
            }
            if index < lines.count { Self.writeText(lines[index], into: &buffer) }
            buffer.writeStaticString("\r\n")
        }
    }

    private static func writeText(_ text: String, into buffer: inout ByteBuffer) {
        guard text.utf8.contains(where: isControl) else {
            buffer.writeString(text)
            return
        }
        buffer.writeBytes(text.utf8.map { isControl($0) ? UInt8(ascii: "?") : $0 })
    }

    static func isControl(_ byte: UInt8) -> Bool { byte < 0x20 || byte == 0x7F }
}

extension SMTPReply: CustomStringConvertible {
    /// The codes only: the text may hold personal data.
    package var description: String {
        guard let enhanced else { return String(code) }
        return "\(code) \(enhanced)"
    }
}
