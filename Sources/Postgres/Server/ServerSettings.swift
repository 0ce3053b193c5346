/// The text of `postgresql.conf`.
package struct ServerSettings {
    /// False only for tests: a crash may then lose or spoil everything.
    let isDurable: Bool
    let maximumConnections: Int
    let socketDirectory: String

    package init(isDurable: Bool, maximumConnections: Int, socketDirectory: String) {
        self.isDurable = isDurable
        self.maximumConnections = maximumConnections
        self.socketDirectory = socketDirectory
    }

    /// A value in the syntax of the file: quoted, with quotes doubled.
    static func quoted(_ value: String) -> String {
        "'" + value.replacing("\\", with: "\\\\").replacing("'", with: "''") + "'"
    }

    package var text: String {
        let durability = isDurable ? "on" : "off"
        // Some containers come without the system's place for shared memory.
        let sharedMemory = FileSystem.isDirectory("/dev/shm") ? "posix" : "mmap"
        return """
            # Written by sluice on every start. Put your own settings into custom.conf beside this file.
            listen_addresses = ''
            port = \(ServerEndpoint.port)
            unix_socket_directories = \(Self.quoted(socketDirectory))
            unix_socket_permissions = 0700
            max_connections = \(maximumConnections)

            fsync = \(durability)
            synchronous_commit = \(durability)
            full_page_writes = \(durability)
            data_sync_retry = off

            shared_buffers = 128MB
            dynamic_shared_memory_type = \(sharedMemory)
            work_mem = 8MB
            maintenance_work_mem = 64MB
            wal_level = replica
            wal_compression = on
            min_wal_size = 256MB
            max_wal_size = 2GB
            checkpoint_timeout = 15min
            checkpoint_completion_target = 0.9
            random_page_cost = 1.1
            jit = off
            # Each session calls functions in it, and would have to load it.
            shared_preload_libraries = 'plpgsql'

            # Updated rows of counters and batches leave many dead versions behind.
            autovacuum_naptime = 15s
            autovacuum_vacuum_cost_delay = 1ms

            # Errors are reported to the program, which logs them without values. The log of the server keeps what
            # concerns the server, and never rows or parameters.
            log_destination = stderr
            logging_collector = off
            log_min_messages = log
            log_min_error_statement = panic
            log_error_verbosity = terse
            log_checkpoints = off
            log_line_prefix = '%m [%p] '
            lc_messages = 'C'
            timezone = 'UTC'
            log_timezone = 'UTC'
            datestyle = 'iso, mdy'
            default_text_search_config = 'pg_catalog.simple'

            include_if_exists = 'custom.conf'

            """
    }
}
