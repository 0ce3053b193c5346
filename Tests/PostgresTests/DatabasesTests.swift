import Logging
import TestDatabases
import Testing

@testable import Postgres

/// A server named by a URL.
struct DatabasesTests {
    private let logger = Logger(label: "test")

    /// URL of a database on the tests' server, reached through its socket.
    private func url(_ user: String, _ database: String, password: String? = nil) async throws -> String {
        let endpoint = try await Shared.database().endpoint
        let host = endpoint.socketDirectory.replacing("/", with: "%2F")
        let login = password.map { "\(user):\($0)" } ?? user
        return "postgres://\(login)@/\(database)?host=\(host)"
    }

    private func administrator() async throws -> PostgresConnection {
        try await PostgresConnection.connect(try await Shared.database().configuration(role: "postgres"))
    }

    @Test func `missing databases are created, and the application gets a role without ownership`() async throws {
        let connection = try await administrator()
        try await connection.execute(script: "CREATE ROLE creator LOGIN CREATEDB CREATEROLE")
        try await connection.execute(script: "GRANT sluice_app, sluice_api TO creator WITH ADMIN OPTION")
        let url = try await url("creator", "fresh")
        for _ in 0..<2 {
            let databases = try await Databases.open(.server(url: url, vaultURL: nil), logger: logger)
            for (access, name) in [(databases.records, "fresh"), (databases.vault, "fresh_vault")] {
                let owner = try await PostgresConnection.connect(access.owner)
                let app = try await PostgresConnection.connect(access.app)
                let row = try await app.query("SELECT current_database()::text, current_user::text").only
                #expect(try row.decode(String.self, String.self) == (name, "sluice_app"))
                try await owner.execute(script: "CREATE TABLE IF NOT EXISTS owned (id int)")
                let error = await #expect(throws: PostgresError.self) { try await app.query("DROP TABLE owned") }
                #expect(error?.sqlState == .insufficientPrivilege)
                await owner.close()
                await app.close()
            }
            await databases.close()
        }
    }

    @Test func `a login that may not create is told what to do`() async throws {
        let connection = try await administrator()
        try await connection.execute(script: "CREATE ROLE modest LOGIN")
        let missing = try await url("modest", "never_made")
        let error = await #expect(throws: PostgresError.self) {
            try await Databases.open(.server(url: missing, vaultURL: nil), logger: logger)
        }
        #expect(error?.kind == .configuration)
        #expect(error?.message.contains("never_made does not exist and cannot be created") == true)

        let foreign = try await url("modest", "postgres")
        let refused = await #expect(throws: PostgresError.self) {
            try await Databases.open(.server(url: foreign, vaultURL: nil), logger: logger)
        }
        #expect(refused?.kind == .configuration)
    }

    @Test(arguments: [
        "postgres://user:sesame@127.0.0.1:1/sluice", "postgres://user:sesame@no-such-host.invalid/sluice",
        "postgres://user:se@same@127.0.0.1/sluice", "postgres://user:sesame@127.0.0.1:port/sluice",
        "host=127.0.0.1 password=sesame dbname=sluice nonsense", "mysql://user:sesame@localhost/sluice",
        "postgres://user:sesame@127.0.0.1:1", "sesame", " ",
    ])
    func `a wrong URL is a clear error without the password`(url: String) async throws {
        let error = await #expect(throws: PostgresError.self) {
            try await Databases.open(.server(url: url, vaultURL: nil), logger: logger)
        }
        #expect(error?.kind == .configuration || error?.kind == .connectionFailed)
        #expect(error?.message.contains("SLUICE_DATABASE_URL") == true)
        for text in [error.map { "\($0)" }, error.map { String(reflecting: $0) }] {
            #expect(text?.contains("sesame") == false)
            #expect(text?.contains("same@") == false)
        }
    }

    @Test func `the vault must be another database`() async throws {
        let url = try await url("postgres", "same")
        let error = await #expect(throws: PostgresError.self) {
            try await Databases.open(.server(url: url, vaultURL: url), logger: logger)
        }
        #expect(error?.kind == .configuration)
    }

    @Test func `parameters show no password`() throws {
        let parameters = try ConnectionParameters("postgres://user:sesame@host.example:6543/sluice?sslmode=require")
        #expect(parameters["password"] == "sesame")
        #expect(parameters["sslmode"] == "require")
        #expect("\(parameters)" == "host=host.example port=6543 dbname=sluice user=user")
        #expect(!String(reflecting: parameters).contains("sesame"))
        var dumped = ""
        dump(PostgresConfiguration(parameters), to: &dumped)
        #expect(!dumped.contains("sesame"))
    }
}
