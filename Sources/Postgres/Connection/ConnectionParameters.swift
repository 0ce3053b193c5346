import CPostgres

/// Where and as whom to connect: libpq's keywords and their values.
///
/// Its description shows no password.
package struct ConnectionParameters: Hashable, Sendable, CustomStringConvertible, CustomReflectable {
    private(set) var values: [String: String]

    /// From keywords, such as `host`, `port`, `dbname` and `user`.
    package init(_ values: [String: String]) { self.values = values }

    /// From a URI (`postgres://user:password@host/database`) or a `key=value` string.
    /// - Throws: ``PostgresError`` of kind `.configuration`. The message does not repeat the text, which may hold a
    ///   password.
    package init(_ connectionString: String) throws(PostgresError) {
        guard !connectionString.utf8.contains(0), !connectionString.allSatisfy(\.isWhitespace) else {
            throw Self.unreadable
        }
        var message: UnsafeMutablePointer<CChar>?
        let options = unsafe PQconninfoParse(connectionString, &message)
        defer {
            unsafe PQconninfoFree(options)
            unsafe PQfreemem(message)
        }
        guard var option = unsafe options else { throw Self.unreadable }
        values = [:]
        while let keyword = unsafe option.pointee.keyword {
            if let value = unsafe option.pointee.val {
                unsafe values[String(cString: keyword)] = unsafe String(cString: value)
            }
            unsafe option += 1
        }
        // A password with an unescaped "@" ends up in the host, and from there in libpq's messages.
        guard values["host"]?.contains("@") != true else { throw Self.unreadable }
    }

    private static var unreadable: PostgresError {
        PostgresError(
            .configuration,
            """
            the connection string is neither a PostgreSQL URI nor a list of key=value pairs; special characters in a \
            password must be percent-encoded
            """)
    }

    package subscript(keyword: String) -> String? {
        get { values[keyword] }
        set { values[keyword] = newValue }
    }

    /// The database; libpq takes the user's name if none is given.
    package var database: String? {
        get { values["dbname"] }
        set { values["dbname"] = newValue }
    }

    package var user: String? { values["user"] }

    /// The host on another machine to which the connection may go without TLS; nil where there is none.
    ///
    /// - Parameter environment: libpq takes from it what the parameters do not say.
    package func hostWithoutTLS(environment: [String: String]) -> String? {
        let mode = values["sslmode"] ?? environment["PGSSLMODE"] ?? "prefer"
        guard !["require", "verify-ca", "verify-full"].contains(mode) else { return nil }
        let hosts = values["hostaddr"] ?? values["host"] ?? environment["PGHOSTADDR"] ?? environment["PGHOST"] ?? ""
        return hosts.split(separator: ",").map(String.init).first { host in
            // Sockets have a path, or an abstract name.
            !host.hasPrefix("/") && !host.hasPrefix("@") && host != "localhost" && host != "::1"
                && !host.hasPrefix("127.")
        }
    }

    package func with(database: String) -> ConnectionParameters {
        var copy = self
        copy.database = database
        return copy
    }

    package var description: String {
        let shown = ["host", "hostaddr", "port", "dbname", "user"]
        return shown.compactMap { key in values[key].map { "\(key)=\($0)" } }.joined(separator: " ")
    }

    package var customMirror: Mirror { Mirror(self, children: ["description": description]) }
}
