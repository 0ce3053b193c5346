import MailTypes
package import NIOCore

/// Cuts the bytes of a server into replies (RFC 5321 §4.2), however they are spread over packets.
///
/// Lines end with LF; a CR before it is dropped. Text is made safe: controls become `?`, invalid UTF-8 is repaired.
/// The memory held is bounded by ``SMTPLimits`` plus what one `append` brought.
package struct SMTPReplyParser: Sendable {
    private let limits: SMTPLimits
    private var buffer = ByteBuffer()
    /// Octets at the front of `buffer` that are known to hold no LF.
    private var scanned = 0
    private var partial = PartialReply()

    /// The lines so far of a reply that goes on.
    private struct PartialReply: Sendable {
        var code = 0
        var enhanced: EnhancedStatusCode?
        var lines: [String] = []
        var octets = 0
    }

    package init(limits: SMTPLimits = .standard) {
        self.limits = limits
    }

    /// Whether anything was received that no reply has been made of yet, be it a part of one.
    package var hasUnreadInput: Bool { buffer.readableBytes > 0 || !partial.lines.isEmpty }

    package mutating func append(_ bytes: ByteBuffer) {
        guard bytes.readableBytes > 0 else { return }
        if buffer.readableBytes == 0 {
            buffer = bytes
        } else {
            buffer.discardReadBytes()
            var bytes = bytes
            buffer.writeBuffer(&bytes)
        }
    }

    /// The next whole reply, or nil until more bytes come. After an error the parser is of no further use.
    package mutating func next() throws(SMTPReplyError) -> SMTPReply? {
        while let length = try nextLineLength() {
            let reply = try takeLine(length)
            if buffer.readableBytes == 0 {
                // The channel can then use the storage again.
                buffer = ByteBuffer()
            }
            if let reply { return reply }
        }
        return nil
    }

    /// Octets of the line at the front with its LF.
    private mutating func nextLineLength() throws(SMTPReplyError) -> Int? {
        let view = buffer.readableBytesView
        let found = view[(view.startIndex + scanned)...].firstIndex(of: UInt8(ascii: "\n"))
        let length = found.map { $0 - view.startIndex + 1 } ?? view.count
        guard length <= limits.replyLineOctets else { throw .lineTooLong }
        scanned = found == nil ? length : 0
        return found == nil ? nil : length
    }

    private mutating func takeLine(_ length: Int) throws(SMTPReplyError) -> SMTPReply? {
        partial.octets += length
        guard partial.octets <= limits.replyOctets else { throw .replyTooLong }
        guard partial.lines.count < limits.replyLines else { throw .tooManyLines }
        let known = partial.lines.isEmpty ? nil : (code: partial.code, enhanced: partial.enhanced)
        let line = buffer.withUnsafeReadableBytes { bytes in
            ReplyLine(UnsafeRawBufferPointer(rebasing: bytes[..<length]), after: known?.enhanced, isFirst: known == nil)
        }
        buffer.moveReaderIndex(forwardBy: length)
        guard let line else { throw .malformed }
        guard known == nil || known?.code == line.code else { throw .malformed }

        guard line.isLast else {
            partial.code = line.code
            partial.enhanced = line.enhanced
            partial.lines.append(line.text)
            return nil
        }
        guard known != nil else {
            partial.octets = 0
            return SMTPReply(line.code, line.enhanced, line.text)
        }
        partial.lines.append(line.text)
        defer { partial = PartialReply() }
        return SMTPReply(line.code, partial.enhanced, partial.lines)
    }
}

/// Why bytes from a server are not a reply. The connection is out of step and must be closed.
package enum SMTPReplyError: String, Error, Sendable, Hashable {
    case malformed = "malformed reply"
    case lineTooLong = "reply line too long"
    case tooManyLines = "too many lines in a reply"
    case replyTooLong = "reply too long"
}

/// One line of a reply, read.
private struct ReplyLine {
    let code: Int
    let enhanced: EnhancedStatusCode?
    let text: String
    let isLast: Bool

    /// - Parameters:
    ///   - bytes: the line with its LF.
    ///   - known: the enhanced code of the reply's first line.
    init?(_ bytes: UnsafeRawBufferPointer, after known: EnhancedStatusCode?, isFirst: Bool) {
        var end = bytes.count - 1
        if end > 0, bytes[end - 1] == UInt8(ascii: "\r") { end -= 1 }
        guard end >= 3, (0x32...0x35).contains(bytes[0]), Self.isDigit(bytes[1]), Self.isDigit(bytes[2]) else {
            return nil
        }
        code = Int(bytes[0] - 0x30) * 100 + Int(bytes[1] - 0x30) * 10 + Int(bytes[2] - 0x30)
        // A bare code is a whole reply: some servers leave out the space (RFC 5321 §4.2).
        let separator = end > 3 ? bytes[3] : UInt8(ascii: " ")
        guard separator == UInt8(ascii: " ") || separator == UInt8(ascii: "-") else { return nil }
        isLast = separator == UInt8(ascii: " ")

        var start = min(4, end)
        let found = Self.enhancedCode(bytes, from: start, to: end)
        if let found, isFirst || found.code == known {
            start = found.end
            while start < end, bytes[start] == UInt8(ascii: " ") { start += 1 }
        }
        enhanced = isFirst ? found?.code : known
        text = Self.safeText(UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }

    /// Reads `d.ddd.ddd` followed by a space or the end. Done on the raw bytes, because three of these are read for
    /// every message.
    private static func enhancedCode(
        _ bytes: UnsafeRawBufferPointer, from start: Int, to end: Int
    ) -> (code: EnhancedStatusCode, end: Int)? {
        var position = start
        func number(upTo digits: Int) -> UInt16? {
            var value: UInt16 = 0
            let first = position
            while position < end, position - first < digits, isDigit(bytes[position]) {
                value = value * 10 + UInt16(bytes[position] - 0x30)
                position += 1
            }
            return position > first ? value : nil
        }
        func dot() -> Bool {
            guard position < end, bytes[position] == UInt8(ascii: ".") else { return false }
            position += 1
            return true
        }
        guard let statusClass = number(upTo: 1), dot(), let subject = number(upTo: 3), dot(),
            let detail = number(upTo: 3),
            position == end || bytes[position] == UInt8(ascii: " "),
            let code = EnhancedStatusCode(statusClass: UInt8(statusClass), subject: subject, detail: detail)
        else { return nil }
        return (code, position)
    }

    private static func safeText(_ bytes: UnsafeRawBufferPointer) -> String {
        if bytes.allSatisfy({ (0x20...0x7E).contains($0) }) { return String(decoding: bytes, as: UTF8.self) }
        let text = String(decoding: bytes, as: UTF8.self)
        let safe = text.unicodeScalars.map { scalar in
            scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) ? "?" : scalar
        }
        var result = String.UnicodeScalarView()
        result.append(contentsOf: safe)
        return String(result)
    }
}
