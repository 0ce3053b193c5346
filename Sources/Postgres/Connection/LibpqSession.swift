import CPostgres
import Synchronization

/// A libpq connection and what belongs to it. Confined to one thread, that of its ``PostgresConnection``, except for
/// ``ConnectionHealth``.
@safe final class LibpqSession: @unchecked Sendable {
    private var connection: OpaquePointer?
    private var statements: StatementCache
    private var isCopying = false
    /// Set by the notice receiver when a COMMIT gave up waiting for its synchronous standby.
    private var commitIsUnreplicated = false
    private(set) var cancelHandle: CancelHandle?
    let health: ConnectionHealth
    private let confinement: Confinement

    init(maximumStatements: Int, health: ConnectionHealth, confinement: Confinement = Confinement()) {
        statements = StatementCache(capacity: maximumStatements)
        self.health = health
        self.confinement = confinement
    }

    // MARK: Opening and closing

    func open(_ configuration: PostgresConfiguration) throws(PostgresError) {
        guard let connection = unsafe Self.connect(configuration.libpqParameters) else {
            throw PostgresError(.connectionFailed, "out of memory")
        }
        unsafe self.connection = connection
        do {
            try unsafe finishOpening(configuration, connection)
        } catch {
            close()
            throw error
        }
    }

    private func finishOpening(
        _ configuration: PostgresConfiguration, _ connection: OpaquePointer
    ) throws(PostgresError) {
        guard unsafe PQstatus(connection) == CONNECTION_OK else {
            throw unsafe Self.connectError(connection)
        }
        unsafe PQsetNoticeReceiver(connection, receiveNotice, Unmanaged.passUnretained(self).toOpaque())
        cancelHandle = unsafe CancelHandle(connection)
        health.open(descriptor: unsafe PQsocket(connection))
        do {
            try execute(script: configuration.openingScript)
            if let rehearsal = configuration.rehearsal {
                try? execute(script: "BEGIN;" + rehearsal)
                try execute(script: "ROLLBACK")
            }
        } catch {
            throw PostgresError(.connectionFailed, error.message, sqlState: error.sqlState)
        }
    }

    private static func connect(_ parameters: ConnectionParameters) -> OpaquePointer? {
        let pairs = parameters.values.sorted { $0.key < $1.key }
        return unsafe withCStrings(pairs.map(\.key)) { keywords in
            unsafe withCStrings(pairs.map(\.value)) { values in
                unsafe PQconnectdbParams(keywords, values, 0)
            }
        }
    }

    /// What libpq says about a failed attempt; see ``ConnectFailure`` for the SQLSTATE.
    private static func connectError(_ connection: OpaquePointer) -> PostgresError {
        let text = unsafe PQerrorMessage(connection).map { unsafe String(cString: $0) } ?? "unknown reason"
        let line = text.split(separator: "\n").joined(separator: "; ")
        return PostgresError(.connectionFailed, line, sqlState: ConnectFailure.sqlState(of: line))
    }

    func close() {
        cancelHandle = nil
        health.close()
        unsafe PQfinish(connection)
        unsafe connection = nil
    }

    deinit { unsafe PQfinish(connection) }

    // MARK: Statements

    /// Runs one statement with its parameters through a prepared statement.
    func execute(_ sql: SQL) throws(PostgresError) -> PostgresRows {
        let key = StatementCache.Key(text: sql.text, types: sql.parameters.types)
        do {
            return try executePrepared(key, sql.parameters)
        } catch {
            guard error.isStaleStatement else { throw error }
            statements.forget(key)
            // Inside a transaction the error has already undone it; the whole of it must be run again.
            guard health.transactionStatus == .idle else { throw error }
            return try executePrepared(key, sql.parameters)
        }
    }

    /// Runs statements separated by semicolons, without parameters, through the simple protocol.
    func execute(script: String) throws(PostgresError) {
        let connection = unsafe try usable()
        commitIsUnreplicated = false
        defer { unsafe noteStatus(connection) }
        _ = try unsafe check(PQexec(connection, script), connection)
        try requireReplicated()
    }

    /// Begins a transaction, and says in the same breath whose rows it may see.
    func begin() throws(PostgresError) { try execute(script: confinement.begin) }

    /// - Throws: ``PostgresError`` of kind `.commitUnknown` if the connection ended before the answer, or if the
    ///   transaction is not known to have reached the synchronous standby.
    func commit() throws(PostgresError) {
        let connection = unsafe try usable()
        commitIsUnreplicated = false
        defer { unsafe noteStatus(connection) }
        let result: LibpqResult
        do {
            result = try unsafe check(PQexec(connection, "COMMIT"), connection)
        } catch {
            guard error.kind == .connectionLost else { throw error }
            throw PostgresError(.commitUnknown, "the answer to COMMIT was lost: \(error.message)")
        }
        try requireReplicated()
        guard result.commandTag == "COMMIT" else {
            throw PostgresError(.transactionAborted, "the transaction was rolled back, because a statement had failed")
        }
        unsafe deallocateEvicted(connection)
    }

    /// A statement outside a transaction commits by itself. Its time-out may end the wait for the standby.
    private func requireReplicated() throws(PostgresError) {
        guard commitIsUnreplicated else { return }
        throw PostgresError(.commitUnknown, "COMMIT was not confirmed by the synchronous standby")
    }

    private func executePrepared(
        _ key: StatementCache.Key, _ parameters: PostgresParameters
    ) throws(PostgresError) -> PostgresRows {
        let connection = unsafe try usable()
        commitIsUnreplicated = false
        defer { unsafe noteStatus(connection) }
        if let account = confinement.account, health.transactionStatus == .idle {
            return try unsafe executeConfined(to: account, key, parameters, connection)
        }
        let name = try unsafe prepare(key, connection)
        let result = try unsafe withLibpqArrays(parameters) { (values, lengths, formats) in
            unsafe PQexecPrepared(
                connection, name, Int32(parameters.count), values, lengths, formats, 1)
        }
        let rows = PostgresRows(try unsafe check(result, connection))
        try requireReplicated()
        return rows
    }

    /// Runs statements, each for somebody else, in one round trip: those that read in one transaction, each other in one of its
    /// own. An error is told to its own statement alone, unless it is the connection's, or that of a wait which the
    /// others would repeat.
    func run(_ statements: [(sql: SQL, isRead: Bool)]) -> [Result<PostgresRows, PostgresError>] {
        if statements.count == 1 { return [Result { () throws(PostgresError) in try execute(statements[0].sql) }] }
        var answers = [Result<PostgresRows, PostgresError>?](repeating: nil, count: statements.count)
        var common: PostgresError?
        do throws(PostgresError) {
            let reads = statements.indices.filter { statements[$0].isRead }
            let others = statements.indices.filter { !statements[$0].isRead }
            let transactions = others.map { [$0] } + (reads.isEmpty ? [] : [reads])
            let results = try runTogether(transactions.map { $0.map { statements[$0].sql } })
            for (places, result) in zip(transactions, results) {
                switch result {
                case .success(let rows): for (place, rows) in zip(places, rows) { answers[place] = .success(rows) }
                case .failure(let error) where error.isOfStatement && !error.isTimeout:
                    // With others it is not known whose error it is.
                    if places.count == 1, !error.isStaleStatement { answers[places[0]] = .failure(error) }
                case .failure(let error): for place in places { answers[place] = .failure(error) }
                }
            }
        } catch {
            // Nothing was sent.
            if !error.isOfStatement || error.isTimeout { common = error }
        }
        return zip(statements, answers).map { statement, answer in
            if let answer { return answer }
            if let common { return .failure(common) }
            do throws(PostgresError) {
                return .success(try execute(statement.sql))
            } catch {
                if !error.isOfStatement || error.isTimeout { common = error }
                return .failure(error)
            }
        }
    }

    /// - Throws: ``PostgresError`` before anything is sent.
    private func runTogether(
        _ transactions: [[SQL]]
    ) throws(PostgresError) -> [Result<[PostgresRows], PostgresError>] {
        let connection = unsafe try usable()
        commitIsUnreplicated = false
        defer { unsafe noteStatus(connection) }
        // Prepared by themselves, before anything is in the pipeline.
        var confining: [Prepared] = []
        if let account = confinement.account { confining = [try unsafe prepareConfining(to: account, connection)] }
        var prepared: [[Prepared]] = []
        for transaction in transactions {
            var statements = confining
            for sql in transaction {
                let key = StatementCache.Key(text: sql.text, types: sql.parameters.types)
                statements.append(Prepared(name: try unsafe prepare(key, connection), parameters: sql.parameters))
            }
            prepared.append(statements)
        }
        return try unsafe runTogether(prepared, connection).map { result in
            result.map { Array($0.dropFirst(confining.count)) }
        }
    }

    private struct Prepared {
        let name: String
        let parameters: PostgresParameters
    }

    private static let confining = StatementCache.Key(text: Confinement.statement, types: [.text])

    private func prepareConfining(
        to account: Int64, _ connection: OpaquePointer
    ) throws(PostgresError) -> Prepared {
        var setting = PostgresParameters()
        setting.append(String(account))
        return Prepared(name: try unsafe prepare(Self.confining, connection), parameters: setting)
    }

    /// A statement that is a transaction by itself, with the setting that belongs to it.
    private func executeConfined(
        to account: Int64, _ key: StatementCache.Key, _ parameters: PostgresParameters, _ connection: OpaquePointer
    ) throws(PostgresError) -> PostgresRows {
        let statement = Prepared(name: try unsafe prepare(key, connection), parameters: parameters)
        let confining = try unsafe prepareConfining(to: account, connection)
        return try unsafe runTogether([[confining, statement]], connection)[0].get()[1]
    }

    /// Runs transactions of prepared statements. All go out together and are answered together (libpq's pipeline mode): what
    /// comes before a Sync of the protocol is one transaction, and all of it costs one round trip.
    ///
    /// - Throws: ``PostgresError`` where not all could be sent.
    private func runTogether(
        _ transactions: [[Prepared]], _ connection: OpaquePointer
    ) throws(PostgresError) -> [Result<[PostgresRows], PostgresError>] {
        guard unsafe PQenterPipelineMode(connection) == 1 else {
            throw PostgresError(.closed, "the connection takes no pipeline")
        }
        var isSent = false
        defer {
            // The server answers nothing more to what has no end.
            if isSent { unsafe leavePipeline(connection) } else { close() }
        }
        for transaction in transactions {
            for statement in transaction { try unsafe send(statement, connection) }
            guard unsafe PQpipelineSync(connection) == 1 else { throw unsafe lost(connection) }
        }
        isSent = true
        return transactions.map { transaction in
            Result { () throws(PostgresError) in unsafe try takeAnswers(transaction.count, connection) }
        }
    }

    /// The answers to the statements of one transaction, up to its end.
    ///
    /// - Throws: the first error, also that of the commit: the answers before it mean nothing then.
    private func takeAnswers(
        _ count: Int, _ connection: OpaquePointer
    ) throws(PostgresError) -> [PostgresRows] {
        commitIsUnreplicated = false
        var answers: [PostgresRows] = []
        var failure: PostgresError?
        var ends = 0
        while true {
            guard let result = unsafe PQgetResult(connection) else {
                // A nil ends the answer to one statement; several in a row say that nothing more comes.
                ends += 1
                if ends < 3, unsafe PQstatus(connection) == CONNECTION_OK { continue }
                // The server says why it ends a session before it does.
                if let failure, failure.isOfStatement { throw failure }
                throw unsafe lost(connection)
            }
            ends = 0
            let isEnd = unsafe PQresultStatus(result) == PGRES_PIPELINE_SYNC
            do throws(PostgresError) {
                let checked = try unsafe check(result, connection)
                if !isEnd { answers.append(PostgresRows(checked)) }
            } catch {
                failure = failure ?? error
            }
            if isEnd { break }
        }
        if let failure { throw failure }
        try requireReplicated()
        guard answers.count == count else { throw PostgresError(.closed, "a statement was not answered") }
        return answers
    }

    private func send(_ statement: Prepared, _ connection: OpaquePointer) throws(PostgresError) {
        var isSent = false
        _ = try unsafe withLibpqArrays(statement.parameters) { (values, lengths, formats) in
            isSent =
                unsafe PQsendQueryPrepared(
                    connection, statement.name, Int32(statement.parameters.count), values, lengths, formats, 1) == 1
            return nil
        }
        guard isSent else { throw unsafe lost(connection) }
    }

    /// Reads what is left of a pipeline, up to its end.
    private func leavePipeline(_ connection: OpaquePointer) {
        var ends = 0
        // A nil ends the answer to one statement; several in a row say that nothing more comes.
        while ends < 3, unsafe PQstatus(connection) == CONNECTION_OK, unsafe PQexitPipelineMode(connection) != 1 {
            if let result = unsafe PQgetResult(connection) {
                unsafe PQclear(result)
                ends = 0
            } else {
                ends += 1
            }
        }
        guard unsafe PQpipelineStatus(connection) != PQ_PIPELINE_OFF else { return }
        // The session cannot be used any more: who has it next must not read the answers of somebody else.
        close()
    }

    private func lost(_ connection: OpaquePointer) -> PostgresError {
        guard unsafe PQstatus(connection) == CONNECTION_OK else {
            return PostgresError(.connectionLost, "the connection was lost")
        }
        return PostgresError(.server, "the statement could not be sent")
    }

    private func prepare(_ key: StatementCache.Key, _ connection: OpaquePointer) throws(PostgresError) -> String {
        if let name = statements.name(for: key) { return name }
        guard key.types.count <= 65_535 else { throw PostgresError(.decoding, "more than 65,535 parameters") }
        let name = statements.makeName()
        let types = key.types.map(\.rawValue)
        let result = unsafe PQprepare(connection, name, key.text, Int32(types.count), types)
        _ = try unsafe check(result, connection)
        statements.insert(key, name: name)
        unsafe deallocateEvicted(connection)
        return name
    }

    /// Frees statements that left the cache; inside a transaction, where a failure would spoil it, they wait.
    private func deallocateEvicted(_ connection: OpaquePointer) {
        guard !statements.evicted.isEmpty, unsafe PQtransactionStatus(connection) == PQTRANS_IDLE else { return }
        for name in statements.takeEvicted() {
            // The only failure is that the server does not know the name, which is what is wanted.
            unsafe PQclear(PQexec(connection, "DEALLOCATE \(name)"))
        }
    }

    // MARK: COPY

    func beginCopyIn(_ statement: String) throws(PostgresError) {
        let connection = unsafe try usable()
        defer { unsafe noteStatus(connection) }
        let result = unsafe PQexec(connection, statement)
        guard unsafe PQresultStatus(result) == PGRES_COPY_IN else {
            _ = try unsafe check(result, connection)
            throw PostgresError(.configuration, "the statement is not COPY … FROM STDIN")
        }
        unsafe PQclear(result)
        isCopying = true
    }

    func putCopy(_ chunk: [UInt8]) throws(PostgresError) {
        guard let connection = unsafe connection, isCopying else { throw Self.notCopying }
        var offset = 0
        while offset < chunk.count {
            // libpq takes 31 bits.
            let length = min(chunk.count - offset, 1 << 20)
            let status = unsafe chunk.withUnsafeBytes { bytes in
                unsafe PQputCopyData(
                    connection, bytes.baseAddress?.advanced(by: offset).assumingMemoryBound(to: CChar.self),
                    Int32(length))
            }
            guard status == 1 else {
                isCopying = false
                health.lose()
                throw PostgresError(.connectionLost, "the connection ended during COPY")
            }
            offset += length
        }
    }

    /// Ends COPY: for good, or with an error so that nothing of it stays.
    /// - Returns: the number of rows.
    func endCopyIn(failure: String?) throws(PostgresError) -> Int {
        guard let connection = unsafe connection, isCopying else { throw Self.notCopying }
        isCopying = false
        defer { unsafe noteStatus(connection) }
        let status = unsafe PQputCopyEnd(connection, failure)
        let first = unsafe PQgetResult(connection)
        while let further = unsafe PQgetResult(connection) { unsafe PQclear(further) }
        guard status == 1 else {
            unsafe PQclear(first)
            throw PostgresError(.connectionLost, "the connection ended during COPY")
        }
        return try unsafe check(first, connection).affected
    }

    private static var notCopying: PostgresError { PostgresError(.closed, "no COPY is under way") }

    // MARK: Notifications

    /// Reads what has arrived, without blocking.
    func takeNotifications() throws(PostgresError) -> [PostgresNotification] {
        let connection = unsafe try usable()
        guard unsafe PQconsumeInput(connection) == 1 else {
            health.lose()
            throw PostgresError(.connectionLost, "the connection was lost")
        }
        var notifications: [PostgresNotification] = []
        while let notification = unsafe PQnotifies(connection) {
            unsafe notifications.append(
                .notification(
                    channel: String(cString: notification.pointee.relname),
                    payload: String(cString: notification.pointee.extra)))
            unsafe PQfreemem(notification)
        }
        return notifications
    }

    // MARK: Results

    private func usable() throws(PostgresError) -> OpaquePointer {
        guard let connection = unsafe connection else { throw PostgresError(.closed, "the connection is closed") }
        guard unsafe PQstatus(connection) == CONNECTION_OK else {
            throw PostgresError(.connectionLost, "the connection was lost before")
        }
        guard !isCopying else { throw PostgresError(.closed, "the connection is busy with COPY") }
        return unsafe connection
    }

    private func check(_ result: OpaquePointer?, _ connection: OpaquePointer) throws(PostgresError) -> LibpqResult {
        if let result = unsafe result {
            switch unsafe PQresultStatus(result) {
            case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY, PGRES_PIPELINE_SYNC:
                return unsafe LibpqResult(result)
            case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH:
                unsafe PQclear(result)
                // The protocol is now in a state that only COPY calls can leave.
                unsafe endUnaskedCopy(connection)
                throw PostgresError(.configuration, "COPY needs its own call")
            default: break
            }
        }
        defer { unsafe PQclear(result) }
        let isLost = unsafe PQstatus(connection) != CONNECTION_OK
        let text = isLost ? "the connection was lost" : "the statement failed"
        return try { () throws(PostgresError) -> LibpqResult in
            throw unsafe LibpqResult.error(result, kind: isLost ? .connectionLost : .server, fallback: text)
        }()
    }

    private func endUnaskedCopy(_ connection: OpaquePointer) {
        _ = unsafe PQputCopyEnd(connection, "COPY was not expected")
        while let further = unsafe PQgetResult(connection) {
            let isCopyOut = unsafe PQresultStatus(further) == PGRES_COPY_OUT
            unsafe PQclear(further)
            if isCopyOut {
                // Draining could take for ever; the connection is given up.
                close()
                return
            }
        }
    }

    private func noteStatus(_ connection: OpaquePointer) {
        guard unsafe self.connection != nil else { return }
        if unsafe PQstatus(connection) != CONNECTION_OK {
            health.lose()
            return
        }
        let status: TransactionStatus =
            switch unsafe PQtransactionStatus(connection) {
            case PQTRANS_IDLE: .idle
            case PQTRANS_INTRANS: .open
            case PQTRANS_INERROR: .failed
            default: .busy
            }
        health.note(status)
    }

    fileprivate func notice(_ result: OpaquePointer?) {
        guard let routine = unsafe PQresultErrorField(result, SluiceDiagnosticRoutine) else { return }
        if unsafe String(cString: routine) == "SyncRepWaitForLSN" { commitIsUnreplicated = true }
    }
}

/// libpq would print notices to the standard error output; this keeps them off it.
private func receiveNotice(_ context: UnsafeMutableRawPointer?, _ result: OpaquePointer?) {
    guard let context = unsafe context else { return }
    unsafe Unmanaged<LibpqSession>.fromOpaque(context).takeUnretainedValue().notice(result)
}

/// Lends a NULL-terminated array of C strings.
private func withCStrings<Result>(
    _ strings: [String], _ body: (UnsafePointer<UnsafePointer<CChar>?>) -> Result
) -> Result {
    var text: [CChar] = []
    var starts: [Int] = []
    for string in strings {
        starts.append(text.count)
        text.append(contentsOf: string.utf8CString)
    }
    return unsafe text.withUnsafeBufferPointer { text in
        var pointers = unsafe [UnsafePointer<CChar>?]()
        for start in starts { unsafe pointers.append(text.baseAddress.map { unsafe $0 + start }) }
        unsafe pointers.append(nil)
        return unsafe pointers.withUnsafeBufferPointer { pointers in
            // The array has at least its terminator, so it has an address.
            guard let base = pointers.baseAddress else { preconditionFailure("an empty array of strings") }
            return unsafe body(base)
        }
    }
}

/// Lends parameters in the shape that libpq wants.
private func withLibpqArrays(
    _ parameters: PostgresParameters,
    _ body: (UnsafePointer<UnsafePointer<CChar>?>?, UnsafePointer<Int32>?, UnsafePointer<Int32>?) -> OpaquePointer?
) throws(PostgresError) -> OpaquePointer? {
    if parameters.count == 0 { return unsafe body(nil, nil, nil) }
    for slice in parameters.slices where slice.length > 1 << 30 {
        throw PostgresError(.decoding, "a parameter is larger than 1 GiB")
    }
    // One octet more, because an empty value still needs an address: libpq takes nil for NULL.
    let bytes = parameters.bytes.isEmpty ? [0] : parameters.bytes
    let lengths = parameters.slices.map { Int32($0.length) }
    let formats = [Int32](repeating: 1, count: parameters.count)
    return unsafe bytes.withUnsafeBytes { bytes in
        let base = unsafe bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
        var values = unsafe [UnsafePointer<CChar>?]()
        unsafe values.reserveCapacity(parameters.count)
        for slice in parameters.slices {
            unsafe values.append(slice.length < 0 ? nil : base.map { unsafe $0 + slice.start })
        }
        return unsafe body(values, lengths, formats)
    }
}
