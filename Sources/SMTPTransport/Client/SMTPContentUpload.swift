import NIOCore
import SMTPProtocol

/// A message on its way out: what is left of it.
struct SMTPContentUpload {
    private let message: OutgoingMessage
    private var encoder = DotStuffingEncoder()
    /// Octets of header and content that are encoded.
    private var position = 0
    private(set) var isFinished = false

    init(_ message: OutgoingMessage) {
        self.message = message
    }

    /// Encodes the next `octets` of the message, and the end mark behind the last.
    mutating func writeBlock(ofOctets octets: Int, into buffer: inout ByteBuffer) {
        let end = min(position + octets, message.size)
        buffer.reserveCapacity(DotStuffingEncoder.capacity(forOctets: end - position))
        let headerCount = message.header.count
        if position < headerCount {
            encode(message.header, from: position, to: min(end, headerCount), into: &buffer)
        }
        if end > headerCount {
            encode(message.content, from: max(position - headerCount, 0), to: end - headerCount, into: &buffer)
        }
        position = end
        guard position == message.size else { return }
        encoder.finish(into: &buffer)
        isFinished = true
    }

    private mutating func encode(_ bytes: [UInt8], from start: Int, to end: Int, into buffer: inout ByteBuffer) {
        bytes.withUnsafeBytes { encoder.append(UnsafeRawBufferPointer(rebasing: $0[start..<end]), into: &buffer) }
    }
}
