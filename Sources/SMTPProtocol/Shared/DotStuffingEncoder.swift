package import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Makes of a message what goes over the wire after `354`: a dot is put before each line that starts with one
/// (RFC 5321 §4.5.2), and the end is marked by CRLF.CRLF.
///
/// Whatever the bytes, the end mark occurs once, at the end: a CR or LF that stands alone leaves as CRLF, for
/// receivers disagree on what such a line end means (SMTP smuggling). Messages from `MailMessage` hold none, so that
/// signatures stay whole.
///
/// Content may come in pieces: `append` each, then `finish`.
package struct DotStuffingEncoder: Sendable {
    private var isAtLineStart = true
    /// The last octet was a CR, held back until it is known whether an LF follows.
    private var holdsCarriageReturn = false

    package init() {}

    /// The room that `octets` of content most likely need, with the end mark.
    package static func capacity(forOctets octets: Int) -> Int { octets + octets / 64 + 16 }

    package mutating func append(_ content: some Sequence<UInt8>, into buffer: inout ByteBuffer) {
        let done: Void? = content.withContiguousStorageIfAvailable { append(UnsafeRawBufferPointer($0), into: &buffer) }
        if done == nil { append(Array(content), into: &buffer) }
    }

    package mutating func finish(into buffer: inout ByteBuffer) {
        // A CR held back stands within a line, too.
        if !isAtLineStart { buffer.writeStaticString("\r\n") }
        buffer.writeStaticString(".\r\n")
        self = DotStuffingEncoder()
    }

    /// Copies in runs as long as nothing needs to be put in between, which is nearly always the whole content.
    package mutating func append(_ bytes: UnsafeRawBufferPointer, into buffer: inout ByteBuffer) {
        guard let base = bytes.baseAddress, !bytes.isEmpty else { return }
        var position = 0
        if holdsCarriageReturn {
            holdsCarriageReturn = false
            isAtLineStart = true
            buffer.writeStaticString("\r\n")
            if bytes[0] == UInt8(ascii: "\n") { position = 1 }
        }
        var runStart = position
        func flushRun(to end: Int) {
            if runStart < end { buffer.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[runStart..<end])) }
        }
        while position < bytes.count {
            if isAtLineStart, bytes[position] == UInt8(ascii: ".") {
                flushRun(to: position)
                buffer.writeInteger(UInt8(ascii: "."))
                runStart = position
            }
            isAtLineStart = false
            let lineFeed = Self.find(UInt8(ascii: "\n"), base, from: position, to: bytes.count)
            let searchEnd = lineFeed ?? bytes.count
            let carriageReturn = Self.find(UInt8(ascii: "\r"), base, from: position, to: searchEnd)
            switch (carriageReturn, lineFeed) {
            case (nil, nil):
                position = bytes.count
            case (let cr?, let lf?) where cr + 1 == lf:
                position = lf + 1
                isAtLineStart = true
            case (let cr?, _) where cr + 1 == bytes.count:
                flushRun(to: cr)
                holdsCarriageReturn = true
                return
            case (let stray?, _), (nil, let stray?):
                flushRun(to: stray)
                buffer.writeStaticString("\r\n")
                position = stray + 1
                runStart = position
                isAtLineStart = true
            }
        }
        flushRun(to: bytes.count)
    }

    private static func find(_ byte: UInt8, _ base: UnsafeRawPointer, from start: Int, to end: Int) -> Int? {
        guard let found = memchr(base + start, Int32(byte), end - start) else { return nil }
        return UnsafeRawPointer(found) - base
    }
}
