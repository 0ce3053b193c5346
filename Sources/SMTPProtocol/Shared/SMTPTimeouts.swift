/// How long to wait for the peer in each phase. The defaults of single phases are the least that RFC 5321 §4.5.3.2 allows
/// a client; it sets none for the connection itself. Whole attempts have a bound of their own, which is nearer.
package struct SMTPTimeouts: Sendable, Hashable {
    package var connect: Duration = .seconds(30)
    package var greeting: Duration = .seconds(300)
    package var ehlo: Duration = .seconds(300)
    /// The answer to STARTTLS and, anew, the handshake.
    package var startTLS: Duration = .seconds(120)
    /// Each step of AUTH.
    package var auth: Duration = .seconds(120)
    package var mail: Duration = .seconds(300)
    package var rcpt: Duration = .seconds(300)
    package var data: Duration = .seconds(120)
    /// The answers to MAIL, RCPT and DATA together: shorter than their sum, so that a silent host leaves time for the next
    /// (RFC 5321 §5.1).
    package var transaction: Duration = .seconds(180)
    /// Each block of content: the time without any progress.
    package var block: Duration = .seconds(180)
    /// The answer to the final dot. Shorter values make duplicates (RFC 1047).
    package var finalDot: Duration = .seconds(600)
    package var quit: Duration = .seconds(5)
    /// A server's patience between two commands (RFC 5321 §4.5.3.2.7).
    package var command: Duration = .seconds(300)

    package init() {}

    package static let standard = SMTPTimeouts()

    /// The time to wait for the peer in `phase`.
    package func duration(of phase: SMTPPhase) -> Duration {
        switch phase {
        case .connect: connect
        case .greeting: greeting
        case .ehlo: ehlo
        case .startTLS: startTLS
        case .auth: auth
        case .mail: mail
        case .rcpt: rcpt
        case .data: data
        case .content: block
        case .finalDot: finalDot
        case .quit: quit
        }
    }
}
