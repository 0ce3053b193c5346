import Logging
import MailTypes
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import SMTPProtocol
import SMTPTransport
import Testing

let quietLogger = Logger(label: "tests") { _ in SwiftLogNoOpLogHandler() }

func clientConfiguration(
    _ tls: SMTPClientConfiguration.TLSPolicy = .opportunistic, credentials: SMTPCredentials? = nil,
    change: (inout SMTPTimeouts) -> Void = { _ in }
) -> SMTPClientConfiguration {
    var timeouts = SMTPTimeouts.standard
    change(&timeouts)
    return SMTPClientConfiguration(
        heloName: "client.example", tls: tls, credentials: credentials, timeouts: timeouts)
}

func open(
    _ server: ScriptedServer, _ configuration: SMTPClientConfiguration = clientConfiguration()
) async throws(SMTPConnectFailure) -> SMTPConnection {
    try await SMTPConnection.connect(
        to: server.target, configuration: configuration, group: .singletonMultiThreadedEventLoopGroup,
        logger: quietLogger)
}

func makeEnvelope(to recipient: String = "ann@example.net", from path: String = "b@bounce.example", size: Int = 100)
    -> SMTPEnvelope
{
    guard let address = try? EmailAddress(recipient) else { preconditionFailure("not an address: \(recipient)") }
    return SMTPEnvelope(reversePath: path, recipient: address, needsSMTPUTF8: false, is8Bit: false, size: size)
}

let shortMessage = OutgoingMessage(
    header: Array("DKIM-Signature: v=1\r\n".utf8), content: Array("Subject: hi\r\n\r\n.\r\nbye\r\n".utf8))
let shortMessageOnTheWire = "DKIM-Signature: v=1\r\nSubject: hi\r\n\r\n..\r\nbye\r\n"

/// The failure that `body` throws, or nil.
func failure(_ body: () async throws(SMTPConnectFailure) -> Void) async -> SMTPConnectFailure? {
    do {
        try await body()
        return nil
    } catch {
        return error
    }
}

/// The real clock, put forward at will. One that stood still would make a pool's timers fire again and again.
final class AdvancedClock: Sendable {
    private let offset = NIOLockedValueBox(TimeAmount.zero)

    var now: @Sendable () -> NIODeadline { { [offset] in .now() + offset.withLockedValue { $0 } } }

    func advance(by time: TimeAmount) { offset.withLockedValue { $0 = $0 + time } }
}
