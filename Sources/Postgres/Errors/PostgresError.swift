/// What went wrong between the program and PostgreSQL: a kind to switch on, and words for people.
///
/// The description never holds values of rows or parameters: of the server's answer only the primary message is kept,
/// never DETAIL, HINT or CONTEXT, and messages of class 22 (data exceptions) are cut before the value that they quote.
package struct PostgresError: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Kind: String, Hashable, Sendable {
        /// The server refused the statement; ``PostgresError/sqlState`` says why.
        case server
        /// The connection ended before the answer came. Outside a COMMIT nothing of an open transaction remains.
        case connectionLost
        /// No connection could be opened.
        case connectionFailed
        /// No connection of the pool came free in time.
        case poolTimeout
        /// The owner of the task has all of its connections in use, and too many of its tasks wait already, or waited too
        /// long.
        case shareExhausted
        /// The pool or connection has been closed.
        case closed
        /// The task was cancelled; the statement was stopped at the server, its transaction rolled back.
        case cancelled
        /// The connection ended while COMMIT was under way: the transaction may or may not have been committed.
        case commitUnknown
        /// The transaction could not be committed, because a statement in it had failed and the error was swallowed.
        case transactionAborted
        /// A column did not hold what was asked for, or a parameter was too large.
        case decoding
        /// The configuration (connection string) cannot be used.
        case configuration
        /// The migrations and the database do not fit together.
        case migration
    }

    package let kind: Kind
    package let sqlState: SQLState?
    /// The server's primary message, or the library's.
    package let message: String
    /// Name of the violated constraint, of class 23.
    package let constraint: String?
    /// The server's function that raised the error; tells apart errors that share a code.
    package let serverRoutine: String?

    package init(
        _ kind: Kind, _ message: String, sqlState: SQLState? = nil, constraint: String? = nil,
        serverRoutine: String? = nil
    ) {
        self.kind = kind
        self.message = message
        self.sqlState = sqlState
        self.constraint = constraint
        self.serverRoutine = serverRoutine
    }

    package var description: String {
        var text = "PostgreSQL: \(message)"
        if let sqlState { text += " [\(sqlState)]" }
        if kind != .server { text += " (\(kind.rawValue))" }
        return text
    }

    /// Whether running the whole transaction again can succeed: a serialization failure, a deadlock, or a prepared
    /// statement that a change of the schema has made stale. The transaction has been rolled back in each case.
    package var isRetryable: Bool {
        guard kind == .server else { return false }
        return sqlState == .serializationFailure || sqlState == .deadlockDetected || isStaleStatement
    }

    /// Whether the server gave up waiting for a lock (55P03), or stopped a statement that ran too long (57014). Nothing of
    /// the transaction remains.
    package var isTimeout: Bool {
        kind == .server && (sqlState == .lockNotAvailable || sqlState == .queryCanceled)
    }

    /// Whether the cause lies in the state of the server or of the pool, and passes: it is away, starting, short of
    /// something or busy, or somebody holds what is needed. Asking again in a moment may well succeed.
    package var isPassing: Bool {
        switch kind {
        case .connectionLost, .connectionFailed, .poolTimeout, .shareExhausted: return true
        case .server:
            if isRetryable || isTimeout || sqlState == .readOnlyTransaction { return true }
            return ["53", "57", "08"].contains(sqlState?.errorClass ?? "")
        default: return false
        }
    }

    /// Whether the server refused this statement for what it says or what it met, and may take others: not for want of a
    /// connection, of room, of rest (deadlocks) or of a server that takes writes.
    package var isOfStatement: Bool {
        guard kind == .server, let sqlState else { return false }
        return !["08", "25", "28", "3D", "40", "53", "57", "58"].contains(sqlState.errorClass)
    }

    /// Whether what is stored, or was to be, is wrong: a violated constraint, a value out of range, a damaged page. The
    /// same statement fails again.
    package var isOfData: Bool {
        guard kind == .server, let sqlState else { return false }
        return ["22", "23"].contains(sqlState.errorClass)
            || [.raisedException, .dataCorrupted, .indexCorrupted].contains(sqlState)
    }

    /// Whether the error says that a cached prepared statement must be prepared anew.
    var isStaleStatement: Bool {
        switch sqlState {
        case .invalidStatementName: true
        // The code means "feature not supported" elsewhere; the routine is the part that no translation changes.
        case .featureNotSupported: serverRoutine == "RevalidateCachedQuery"
        default: false
        }
    }

    /// Whether a new attempt to connect can succeed soon: the server is down, starting, or full.
    var mayPass: Bool {
        guard kind == .connectionFailed else { return false }
        switch sqlState {
        case nil, .cannotConnectNow, .tooManyConnections, .adminShutdown, .crashShutdown: return true
        default: return false
        }
    }

    /// The primary message without the value that a data exception quotes.
    static func withoutValues(_ message: String, _ state: SQLState?) -> String {
        guard state?.errorClass == "22", let quote = message.firstIndex(of: "\"") else { return message }
        var cut = message[..<quote]
        while let last = cut.last, last == " " || last == ":" { cut.removeLast() }
        return String(cut)
    }
}
