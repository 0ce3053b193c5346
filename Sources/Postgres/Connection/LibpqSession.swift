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

    private static let confining = StatementCache.Key(text: Confinement.statement, types: [.text])

    /// A statement that is a transaction by itself, with the setting that belongs to it. Both go out together and are
    /// answered together (libpq's pipeline mode): what comes before a Sync of the protocol is one transaction, and costs one
    /// round trip.
    private func executeConfined(
        to account: Int64, _ key: StatementCache.Key, _ parameters: PostgresParameters, _ connection: OpaquePointer
    ) throws(PostgresError) -> PostgresRows {
        // Prepared by themselves, before anything is in the pipeline: an error is theirs alone.
        let statement = try unsafe prepare(key, connection)
        let confining = try unsafe prepare(Self.confining, connection)
        guard unsafe PQenterPipelineMode(connection) == 1 else {
            throw PostgresError(.closed, "the connection takes no pipeline")
        }
        var isSent = false
        defer {
            // The server answers nothing more to what has no end.
            if isSent { unsafe leavePipeline(connection) } else { close() }
        }
        var setting = PostgresParameters()
        setting.append(String(account))
        try unsafe send(confining, setting, connection)
        try unsafe send(statement, parameters, connection)
        guard unsafe PQpipelineSync(connection) == 1 else { throw unsafe lost(connection) }
        isSent = true
        _ = try unsafe takeAnswer(connection)
        let rows = PostgresRows(try unsafe takeAnswer(connection))
        // The commit. Where it fails, the answer before it means nothing.
        _ = try unsafe check(PQgetResult(connection), connection)
        try requireReplicated()
        return rows
    }

    private func send(
        _ name: String, _ parameters: PostgresParameters, _ connection: OpaquePointer
    ) throws(PostgresError) {
        var isSent = false
        _ = try unsafe withLibpqArrays(parameters) { (values, lengths, formats) in
            isSent =
                unsafe PQsendQueryPrepared(
                    connection, name, Int32(parameters.count), values, lengths, formats, 1) == 1
            return nil
        }
        guard isSent else { throw unsafe lost(connection) }
    }

    /// The answer to one statement of a pipeline, and the end of it, a nil.
    private func takeAnswer(_ connection: OpaquePointer) throws(PostgresError) -> LibpqResult {
        let result = try unsafe check(PQgetResult(connection), connection)
        while let further = unsafe PQgetResult(connection) { unsafe PQclear(further) }
        return result
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
