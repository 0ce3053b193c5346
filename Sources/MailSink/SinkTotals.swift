/// What a ``SmartSink`` has seen.
package struct SinkTotals: Sendable, Hashable, Codable {
    package var connections = 0
    /// Open at the same time.
    package var mostConnections = 0
    package var tlsSessions = 0
    /// Transactions whose message was taken, whether or not the answer went out.
    package var messages = 0
    /// Octets of all messages received to their end, dots unstuffed.
    package var bytes = 0
    /// Different recipients with at least one copy.
    package var recipients = 0
    /// Messages taken, counted once for each of their recipients.
    package var copies = 0
    /// Recipients with more than one copy.
    package var duplicates = 0
    /// 5yz replies to recipients and messages.
    package var permanent = 0
    /// 4yz replies to recipients and messages.
    package var temporary = 0
    /// Messages refused for bare CR or LF, an overlong line, or their size.
    package var malformed = 0
    /// Connections closed at a recipient without a reply.
    package var closedConnections = 0
    /// Messages taken whose final dot got no reply.
    package var dropsAfterDot = 0
    /// Messages with at least one good DKIM signature.
    package var dkimPass = 0
    /// Messages that were checked and had none.
    package var dkimFail = 0

    package init() {}

    enum CodingKeys: String, CodingKey {
        case connections
        case mostConnections = "most_connections"
        case tlsSessions = "tls_sessions"
        case messages, bytes, recipients, copies, duplicates, permanent, temporary, malformed
        case closedConnections = "closed_connections"
        case dropsAfterDot = "drops_after_dot"
        case dkimPass = "dkim_pass"
        case dkimFail = "dkim_fail"
    }
}
