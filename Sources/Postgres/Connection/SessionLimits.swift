/// How long a session may wait, work and stand still. The server keeps these bounds itself, so that a statement without a
/// client, a transaction that nobody goes on with, and a machine that is lost free their locks within seconds.
///
/// They are set in each session, whatever the settings of the server, the database and the role are.
package struct SessionLimits: Hashable, Sendable {
    /// How long a statement waits for a lock (`lock_timeout`, SQLSTATE 55P03); without a bound if nil.
    package var lock: Duration?
    /// How long a statement may run (`statement_timeout`, SQLSTATE 57014); without a bound if nil.
    package var statement: Duration?
    /// How long a transaction may stand still before its session is ended (`idle_in_transaction_session_timeout`).
    package var idleInTransaction: Duration?

    package init(
        lock: Duration? = .seconds(10), statement: Duration? = nil, idleInTransaction: Duration? = .seconds(60)
    ) {
        self.lock = lock
        self.statement = statement
        self.idleInTransaction = idleInTransaction
    }

    /// The statements that set them.
    var script: String {
        let bounds = [
            "lock_timeout": lock, "statement_timeout": statement,
            "idle_in_transaction_session_timeout": idleInTransaction,
        ]
        let own = bounds.mapValues { $0.map { "\(max(1, $0.wholeMilliseconds))" } ?? "0" }
        return own.merging(Self.fixed) { own, _ in own }.sorted { $0.key < $1.key }
            .map { "SET \($0.key) = \($0.value);" }.joined()
    }

    /// What holds for every session.
    ///
    /// A client whose machine is gone says no farewell. An idle session notices after 5 s and three probes, 11 s in all; one
    /// with octets under way after 10 s; one that waits or works in a statement looks every 2 s whether its client is still
    /// there. Over a unix socket the `tcp_` settings mean nothing, and the kernel tells of the end at once.
    private static let fixed = [
        "tcp_keepalives_idle": "5", "tcp_keepalives_interval": "2", "tcp_keepalives_count": "3",
        "tcp_user_timeout": "10000", "client_connection_check_interval": "2000",
        // A commit that is answered is on the disk, whatever the server's default (P1).
        "synchronous_commit": "on",
        // Every decision reads rows that it has locked, and the newest versions of them.
        "default_transaction_isolation": "'read committed'",
        // Statements here touch few rows. Compiling one costs up to a thousand times what it saves.
        "jit": "off",
    ]
}

extension Duration {
    fileprivate var wholeMilliseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1000 + attoseconds / 1_000_000_000_000_000
    }
}
