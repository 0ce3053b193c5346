import SMTPTransport

/// One line of a trace as it travels.
package struct TraceLine: Codable, Sendable {
    package let lane, host: String
    package let connection: UInt64
    package let direction, text: String

    init(_ line: SMTPTraceLine) {
        lane = line.lane
        host = line.host
        connection = line.connection
        direction = line.direction.rawValue
        text = line.text
    }
}
