/// Why the private PostgreSQL server cannot be used. The message says what to do about it.
package struct EmbeddedPostgresError: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Code: Hashable, Sendable {
        /// Another server process uses the data directory.
        case alreadyRunning(processID: Int32)
        /// No PostgreSQL 15 or later was found.
        case notInstalled
        /// The unprivileged user to run as does not exist.
        case noUser
        /// The data directory cannot be created, read or reached.
        case directory
        /// `initdb` failed.
        case creation
        /// The server ended or did not answer in time.
        case start
    }

    package let code: Code
    package let message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }
}
