import MailTypes
package import NIOCore

/// Cuts the bytes of a server into replies (RFC 5321 §4.2), however they are spread over packets.
///
/// It reads what the field writes, because a positive reply that is not understood makes copies of a mail:
///
/// - Lines that are no reply line, blank ones among them, are passed over, before a reply and between its lines.
/// - Behind the code may stand a tab, any other character that is no digit, or nothing.
/// - Where the lines of a reply differ in their code, the last line decides.
/// - A line ends with LF; a CR before it is dropped.
/// - Of text that is too long, the beginning is kept. Controls become `?`, invalid UTF-8 is repaired.
///
/// A caller that cannot afford that reads strictly: see ``next(strictly:)``. The memory held is bounded by ``SMTPLimits``
/// plus what one `append` brought.
package struct SMTPReplyParser: Sendable {
    private let limits: SMTPLimits
    private var buffer = ByteBuffer()
    /// Octets at the front of `buffer` that are known to hold no LF.
    private var scanned = 0
    /// The beginning of a line that is too long; the rest of it is passed over.
    private var cutLine: [UInt8] = []
    /// All octets of that line so far.
    private var cutLineOctets = 0
    private var partial = PartialReply()
    /// Lines and octets that were passed over since the last reply.
    private var strayLines = 0
    private var strayOctets = 0

    /// The lines so far of a reply that goes on.
    private struct PartialReply: Sendable {
        var code = 0
        var enhanced: EnhancedStatusCode?
        var lines: [String] = []
        /// All that came of it.
        var octets = 0
        /// What is kept of it.
        var keptOctets = 0
    }

    package init(limits: SMTPLimits = .standard) {
        self.limits = limits
    }

    /// Whether anything was received that no reply has been made of yet, be it a part of one or nothing like one.
    package var hasUnreadInput: Bool { buffer.readableBytes > 0 || isWithinReply || !cutLine.isEmpty }

    private var isWithinReply: Bool { partial.code != 0 }

    /// Whether a further reply, or the beginning of one, is there already. Lines that are none do not count.
    package var holdsFurtherReply: Bool {
        if isWithinReply || !cutLine.isEmpty { return true }
        var rest = buffer.readableBytesView
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            if ReplyLine.mayBegin(rest[..<end], isWhole: true) { return true }
            rest = rest[(end + 1)...]
        }
        return ReplyLine.mayBegin(rest, isWhole: false)
    }

    /// Passes over whole lines at the front that are no reply lines.
    package mutating func dropStrayLines() {
        guard !isWithinReply, cutLine.isEmpty else { return }
        let view = buffer.readableBytesView
        var start = view.startIndex
        while let end = view[start...].firstIndex(of: UInt8(ascii: "\n")),
            !ReplyLine.mayBegin(view[start..<end], isWhole: true)
        { start = end + 1 }
        guard start > view.startIndex else { return }
        buffer.moveReaderIndex(forwardBy: start - view.startIndex)
        scanned = 0
    }

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
    ///
    /// - Parameter strictly: only what the standard allows is a reply, and anything else is an error. For the steps in
    ///   which bytes may have been put in by somebody in between.
    package mutating func next(strictly: Bool = false) throws(SMTPReplyError) -> SMTPReply? {
        while let length = try nextLineLength(strictly) {
            let reply = try takeLine(length, strictly)
            if buffer.readableBytes == 0 {
                // The channel can then use the storage again.
                buffer = ByteBuffer()
            }
            if let reply { return reply }
        }
        return nil
    }

    /// Octets of the line at the front with its LF.
    private mutating func nextLineLength(_ strictly: Bool) throws(SMTPReplyError) -> Int? {
        let view = buffer.readableBytesView
        let found = view[(view.startIndex + scanned)...].firstIndex(of: UInt8(ascii: "\n"))
        if let found {
            scanned = 0
            return found - view.startIndex + 1
        }
        scanned = view.count
        if view.count + cutLine.count > limits.replyLineOctets { try cutOpenLine(strictly) }
        return nil
    }

    /// Keeps the beginning of a line whose end has not come yet, and passes over the rest of what is there.
    private mutating func cutOpenLine(_ strictly: Bool) throws(SMTPReplyError) {
        guard !strictly else { throw .lineTooLong }
        try keepBeginning(ofOctets: buffer.readableBytes)
        buffer = ByteBuffer()
        scanned = 0
    }

    private mutating func keepBeginning(ofOctets length: Int) throws(SMTPReplyError) {
        let room = limits.replyLineOctets - cutLine.count
        if room > 0 { cutLine += buffer.readableBytesView.prefix(min(room, length)) }
        buffer.moveReaderIndex(forwardBy: length)
        cutLineOctets += length
        try count(length)
    }

    private mutating func count(_ octets: Int) throws(SMTPReplyError) {
        partial.octets += octets
        guard partial.octets <= limits.replyOctets else { throw .replyTooLong }
    }

    private mutating func takeLine(_ length: Int, _ strictly: Bool) throws(SMTPReplyError) -> SMTPReply? {
        guard cutLine.isEmpty, length <= limits.replyLineOctets else { return try takeLongLine(length, strictly) }
        try count(length)
        let known = partial
        let line = buffer.withUnsafeReadableBytes { bytes in
            ReplyLine(UnsafeRawBufferPointer(rebasing: bytes[..<length]), after: known.code, known.enhanced, strictly)
        }
        buffer.moveReaderIndex(forwardBy: length)
        return try take(line, ofOctets: length, strictly)
    }

    private mutating func takeLongLine(_ length: Int, _ strictly: Bool) throws(SMTPReplyError) -> SMTPReply? {
        guard !strictly else { throw .lineTooLong }
        try keepBeginning(ofOctets: length)
        if cutLine.last != UInt8(ascii: "\n") { cutLine.append(UInt8(ascii: "\n")) }
        let known = partial
        let line = cutLine.withUnsafeBytes { ReplyLine($0, after: known.code, known.enhanced, strictly) }
        let octets = cutLineOctets
        cutLine = []
        cutLineOctets = 0
        return try take(line, ofOctets: octets, strictly)
    }

    private mutating func take(
        _ line: ReplyLine?, ofOctets octets: Int, _ strictly: Bool
    ) throws(SMTPReplyError) -> SMTPReply? {
        guard let line else {
            guard !strictly else { throw .malformed }
            try passOver(octets)
            return nil
        }
        let isFirst = partial.code == 0
        if strictly, !isFirst, partial.code != line.code { throw .malformed }
        if line.isLast, isFirst {
            forgetReply()
            return SMTPReply(line.code, line.enhanced, line.text)
        }
        try keep(line, strictly)
        guard line.isLast else { return nil }
        defer { forgetReply() }
        return SMTPReply(partial.code, partial.enhanced, partial.lines)
    }

    private mutating func keep(_ line: ReplyLine, _ strictly: Bool) throws(SMTPReplyError) {
        partial.code = line.code
        partial.enhanced = line.enhanced
        partial.keptOctets += line.text.utf8.count
        if partial.lines.count < limits.replyLines, partial.keptOctets <= limits.keptReplyOctets {
            partial.lines.append(line.text)
        } else if strictly {
            throw .tooManyLines
        }
    }

    private mutating func passOver(_ octets: Int) throws(SMTPReplyError) {
        // It is no part of the reply, if one is under way.
        partial.octets -= octets
        strayLines += 1
        strayOctets += octets
        guard strayLines <= limits.strayLines, strayOctets <= limits.strayOctets else { throw .tooManyStrayLines }
    }

    private mutating func forgetReply() {
        partial = PartialReply()
        strayLines = 0
        strayOctets = 0
    }
}

/// Why bytes from a server are not a reply. The connection is out of step and must be closed.
package enum SMTPReplyError: String, Error, Sendable, Hashable {
    case malformed = "malformed reply"
    case lineTooLong = "reply line too long"
    case tooManyLines = "too many lines in a reply"
    case replyTooLong = "reply too long"
    case tooManyStrayLines = "too many lines that are no reply"
}

/// One line of a reply, read.
private struct ReplyLine {
    let code: Int
    let enhanced: EnhancedStatusCode?
    let text: String
    let isLast: Bool

    /// - Parameters:
    ///   - bytes: the line with its LF.
    ///   - knownCode: of the line before in the same reply; 0 for its first line.
    ///   - known: the enhanced code of the reply so far.
    init?(
        _ bytes: UnsafeRawBufferPointer, after knownCode: Int, _ known: EnhancedStatusCode?, _ strictly: Bool
    ) {
        var end = bytes.count - 1
        if end > 0, bytes[end - 1] == UInt8(ascii: "\r") { end -= 1 }
        guard end >= 3, (0x32...0x35).contains(bytes[0]), Self.isDigit(bytes[1]), Self.isDigit(bytes[2]) else {
            return nil
        }
        code = Int(bytes[0] - 0x30) * 100 + Int(bytes[1] - 0x30) * 10 + Int(bytes[2] - 0x30)
        // A bare code is a whole reply: some servers leave out the space (RFC 5321 §4.2).
        let separator = end > 3 ? bytes[3] : UInt8(ascii: " ")
        guard !Self.isDigit(separator) else { return nil }
        isLast = separator != UInt8(ascii: "-")
        let isStandard = separator == UInt8(ascii: " ") || separator == UInt8(ascii: "-")
        guard isStandard || !strictly else { return nil }

        // `250OK`: what stands there belongs to the text.
        var start = isStandard || separator == UInt8(ascii: "\t") ? min(4, end) : 3
        let found = Self.enhancedCode(bytes, from: start, to: end)
        let isFirst = knownCode != code
        if let found, isFirst || found.code == known {
            start = found.end
            while start < end, bytes[start] == UInt8(ascii: " ") { start += 1 }
        }
        enhanced = isFirst ? found?.code ?? Self.fitting(known, code) : known
        text = Self.safeText(UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
    }

    /// What an earlier line with another code said, where that can be meant for this one as well.
    private static func fitting(_ enhanced: EnhancedStatusCode?, _ code: Int) -> EnhancedStatusCode? {
        enhanced.flatMap { Int($0.statusClass) == code / 100 ? $0 : nil }
    }

    /// Whether this can be a reply line, or the beginning of one.
    ///
    /// - Parameter isWhole: nothing follows but the line end, which may be left out here with its CR or without.
    static func mayBegin(_ octets: some Collection<UInt8>, isWhole: Bool) -> Bool {
        var count = 0
        for octet in octets.prefix(4) {
            let fits =
                switch count {
                case 0: (0x32...0x35).contains(octet)
                case 1, 2: isDigit(octet)
                default: !isDigit(octet)
                }
            guard fits else { return false }
            count += 1
        }
        return count >= (isWhole ? 3 : 1)
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
