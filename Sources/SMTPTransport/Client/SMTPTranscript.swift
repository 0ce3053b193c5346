import NIOCore
import SMTPProtocol

/// Writes down what one connection says and hears, as long as an operator listens. Contents and credentials never get
/// here, local parts of addresses are masked before anything leaves.
struct SMTPTranscript {
    private let trace: SMTPTrace
    private let host: String
    private let connection: UInt64
    private var envelope: SMTPEnvelope?
    /// Of the transaction whose commands left behind the content of the current one.
    private var announced: SMTPEnvelope?
    private var mask: SMTPTraceMask?
    /// The beginning of a line whose end has not come.
    private var partial: [UInt8] = []

    init(_ trace: SMTPTrace, host: String) {
        self.trace = trace
        self.host = host
        connection = trace.hub.nextConnection()
    }

    private static let lineOctets = 2_048

    /// The addresses of the transaction that begins, which the server may name in any form.
    mutating func hide(_ envelope: SMTPEnvelope) {
        // Always, since somebody may begin to listen in the middle of it.
        self.envelope = envelope
        announced = nil
        mask = nil
    }

    /// The addresses of the next transaction, which the server may name from now on.
    mutating func announce(_ envelope: SMTPEnvelope) {
        announced = envelope
        mask = nil
    }

    func note(_ text: () -> String) {
        guard trace.hub.isOn else { return }
        tell(.note, text())
    }

    func sent(_ commands: [SMTPClientCommand]) {
        guard trace.hub.isOn else { return }
        for command in commands { tell(.sent, command.traceText) }
    }

    mutating func received(_ bytes: ByteBuffer) {
        guard trace.hub.isOn else {
            partial = []
            return
        }
        for byte in bytes.readableBytesView {
            if byte == UInt8(ascii: "\n") {
                if partial.last == UInt8(ascii: "\r") { partial.removeLast() }
                tell(.received, currentMask.masked(String(decoding: partial, as: UTF8.self)))
                partial = []
            } else if partial.count < Self.lineOctets {
                partial.append(byte)
            }
        }
    }

    private var currentMask: SMTPTraceMask {
        mutating get {
            if let mask { return mask }
            var made = SMTPTraceMask()
            for envelope in [envelope, announced] { envelope.map { made.hide($0) } }
            mask = made
            return made
        }
    }

    private func tell(_ direction: SMTPTraceLine.Direction, _ text: String) {
        trace.hub.tell(
            SMTPTraceLine(lane: trace.lane, host: host, connection: connection, direction: direction, text: text),
            of: trace)
    }
}
