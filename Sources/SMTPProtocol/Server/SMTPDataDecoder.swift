package import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Reads the content that follows DATA up to its end, CRLF.CRLF and nothing else, and takes the stuffed dots out
/// (RFC 5321 §4.5.2).
///
/// A CR or LF that stands alone never counts as a line end: it marks the content as faulty, and reading goes on to the
/// true end, so that no octet of a refused message is ever taken for a command. Nothing is held back between calls but
/// what was asked to be kept, so the size of the pieces in which bytes arrive does not matter.
package struct SMTPDataDecoder: Sendable {
    /// What is wrong with the content.
    package private(set) var fault: SMTPContentFault?
    /// Octets of content so far, dots unstuffed.
    package private(set) var octets = 0

    private enum Position {
        case lineStart
        case line
        /// Behind a CR that may be the first half of a line end.
        case carriageReturn
        /// Behind a dot at the start of a line, which is not content.
        case dot
        /// Behind such a dot and a CR.
        case dotCarriageReturn
    }

    private var position = Position.lineStart
    private var lineOctets = 0
    private var content = ByteBuffer()
    private var retains: Bool
    private let retention: SMTPContentRetention
    private let maximumOctets: Int
    private let maximumLineOctets: Int
    private let maximumRetainedOctets: Int

    /// - Parameters:
    ///   - maximumOctets: of the whole content; more is a fault.
    ///   - expectedOctets: what the client announced, so that room for it is made at once.
    package init(
        retaining retention: SMTPContentRetention, maximumOctets: Int, expectedOctets: Int? = nil,
        limits: SMTPLimits = .standard
    ) {
        self.retention = retention
        self.maximumOctets = maximumOctets
        // The bound counts the line end (RFC 5321 §4.5.3.1.6).
        maximumLineOctets = limits.textLineOctets - 2
        maximumRetainedOctets =
            switch retention {
            case .header: Self.retainedHeaderOctets
            case .beginning(let octets): min(octets, maximumOctets)
            case .nothing, .whole: maximumOctets
            }
        retains = retention != .nothing
        if retention == .whole, let expectedOctets {
            // The announcement is the client's word: believe it only so far.
            content.reserveCapacity(min(expectedOctets, maximumOctets, 1 << 20))
        }
    }

    /// The most that is kept of a header.
    package static let retainedHeaderOctets = 65_536

    /// Reads as much of `buffer` as belongs to the content.
    ///
    /// - Returns: true once the end was read; `buffer` then starts with what follows it.
    package mutating func consume(_ buffer: inout ByteBuffer) -> Bool {
        var consumed = 0
        var ended = false
        buffer.withUnsafeReadableBytes { bytes in
            (consumed, ended) = scan(bytes)
        }
        buffer.moveReaderIndex(forwardBy: consumed)
        return ended
    }

    /// The message, once ``consume(_:)`` returned true and there is no ``fault``.
    package consuming func finish() -> SMTPReceivedMessage {
        SMTPReceivedMessage(octets: octets, content: content)
    }

    private mutating func scan(_ bytes: UnsafeRawBufferPointer) -> (consumed: Int, ended: Bool) {
        var index = 0
        // bytes[pending..<index] are content that has not been taken in yet.
        var pending = 0
        while index < bytes.count {
            switch position {
            case .lineStart:
                lineOctets = 0
                if bytes[index] == Self.dot {
                    take(bytes, pending..<index)
                    index += 1
                    pending = index
                    position = .dot
                } else {
                    if bytes[index] == Self.carriageReturn, retention == .header, retains {
                        take(bytes, pending..<index)
                        pending = index
                        retains = false
                    }
                    position = .line
                }
            case .line:
                index = scanLine(bytes, from: index)
            case .carriageReturn:
                if bytes[index] == Self.lineFeed {
                    index += 1
                    position = .lineStart
                } else {
                    note(.bareCarriageReturn)
                    position = .line
                }
            case .dot:
                if bytes[index] == Self.carriageReturn {
                    index += 1
                    pending = index
                    position = .dotCarriageReturn
                } else {
                    position = .line
                }
            case .dotCarriageReturn:
                if bytes[index] == Self.lineFeed { return (index + 1, true) }
                note(.bareCarriageReturn)
                position = .line
            }
        }
        take(bytes, pending..<index)
        return (index, false)
    }

    /// Reads on inside a line, up to its end or the end of the bytes.
    private mutating func scanLine(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
        guard let base = bytes.baseAddress else { return start }
        let rest = base + start
        let length = bytes.count - start
        // Two searches by the C library read a line several times faster than a loop over its bytes.
        guard let found = memchr(rest, CInt(Self.lineFeed), length) else {
            let endsInCarriageReturn = bytes[bytes.count - 1] == Self.carriageReturn
            checkLine(rest, length - (endsInCarriageReturn ? 1 : 0))
            position = endsInCarriageReturn ? .carriageReturn : .line
            return bytes.count
        }
        let lineFeed = rest.distance(to: UnsafeRawPointer(found))
        if lineFeed > 0, bytes[start + lineFeed - 1] == Self.carriageReturn {
            checkLine(rest, lineFeed - 1)
            position = .lineStart
        } else {
            checkLine(rest, lineFeed)
            note(.bareLineFeed)
        }
        return start + lineFeed + 1
    }

    private mutating func checkLine(_ start: UnsafeRawPointer, _ length: Int) {
        lineOctets += length
        if lineOctets > maximumLineOctets { note(.lineTooLong) }
        if memchr(start, CInt(Self.carriageReturn), length) != nil { note(.bareCarriageReturn) }
    }

    private mutating func take(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) {
        guard !range.isEmpty else { return }
        octets += range.count
        if octets > maximumOctets { note(.messageTooLarge) }
        guard retains else { return }
        let room = maximumRetainedOctets - content.readableBytes
        guard range.count <= room else {
            retains = false
            // A header is kept as far as whole pieces go.
            guard case .beginning = retention else { return }
            content.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[range.prefix(room)]))
            return
        }
        content.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[range]))
    }

    private mutating func note(_ found: SMTPContentFault) {
        guard fault.map({ found < $0 }) ?? true else { return }
        fault = found
        retains = false
        content = ByteBuffer()
    }

    private static let carriageReturn = UInt8(ascii: "\r")
    private static let lineFeed = UInt8(ascii: "\n")
    private static let dot = UInt8(ascii: ".")
}
