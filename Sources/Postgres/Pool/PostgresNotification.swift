/// What a stream of notifications yields.
package enum PostgresNotification: Hashable, Sendable {
    /// A NOTIFY that was committed.
    case notification(channel: String, payload: String)
    /// Listening has begun or begun again, or the reader was too slow: notifications before this may have been
    /// missed. Look into the tables. It comes first in every stream, and after each loss of the connection.
    case reconnected
}
