/// Reads why a server refused a connection.
///
/// libpq keeps no SQLSTATE of a failed attempt, only the message, which is in the server's language. The embedded
/// server speaks English; a message that is not recognised counts as one that may pass.
enum ConnectFailure {
    private static let phrases: [(phrase: String, state: SQLState)] = [
        ("password authentication failed", .invalidPassword),
        ("no password supplied", .invalidPassword),
        ("no pg_hba.conf entry", .invalidAuthorization),
        ("pg_hba.conf rejects", .invalidAuthorization),
        ("authentication failed", .invalidAuthorization),
        ("is not permitted to log in", .invalidAuthorization),
        ("the database system is starting up", .cannotConnectNow),
        ("the database system is shutting down", .cannotConnectNow),
        ("the database system is in recovery mode", .cannotConnectNow),
        ("the database system is not yet accepting connections", .cannotConnectNow),
        ("too many clients already", .tooManyConnections),
        ("remaining connection slots are reserved", .tooManyConnections),
    ]

    static func sqlState(of message: String) -> SQLState? {
        if let known = phrases.first(where: { message.contains($0.phrase) }) { return known.state }
        guard message.hasSuffix("does not exist") else { return nil }
        if message.contains("database \"") { return .unknownDatabase }
        if message.contains("role \"") { return .invalidAuthorization }
        return nil
    }
}
