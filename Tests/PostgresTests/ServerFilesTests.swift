import Testing

@testable import Postgres

struct ServerFilesTests {
    @Test func `the file of a running server is read, others are not`() {
        let text = "4711\n/data/postgres\n1700000000\n5432\n/data/run\n\n  5432001    123456\nready   \n"
        let found = Postmaster(file: text)
        #expect(found?.processID == 4711)
        #expect(found?.socketDirectory == "/data/run")
        for broken in [
            "", "4711", "x\n/d\n1\n5432\n/run\n", "-4711\n/d\n1\n5432\n/run\n", "1\n/d\n1\n5432\n/run\n",
            "4711\n/d\n1\n5432\n\n",
        ] {
            #expect(Postmaster(file: broken) == nil)
        }
    }

    @Test func `a socket's path always fits`() {
        for length in 1...300 {
            let path = "/" + String(repeating: "x", count: length)
            let directory = DataDirectory.socketDirectory(for: path, userID: 1000, isRoot: false, runtimeDirectory: nil)
            #expect("\(directory)/.s.PGSQL.5432".utf8.count <= 107)
            #expect((directory == path + "/run") == (length <= 107 - 19))
        }
        let path = "/" + String(repeating: "x", count: 200)
        func directory(_ path: String, _ user: UInt32) -> String {
            DataDirectory.socketDirectory(for: path, userID: user, isRoot: false, runtimeDirectory: nil)
        }
        #expect(directory(path, 1000) == directory(path, 1000))
        #expect(directory(path, 1000) != directory(path + "y", 1000))
        #expect(directory(path, 1000) != directory(path, 1001))
    }

    @Test func `settings are quoted, and durable unless for tests`() {
        let durable = ServerSettings(isDurable: true, maximumConnections: 100, socketDirectory: "/it's \\ here").text
        #expect(durable.contains("unix_socket_directories = '/it''s \\\\ here'"))
        #expect(durable.contains("fsync = on"))
        let quick = ServerSettings(isDurable: false, maximumConnections: 100, socketDirectory: "/x").text
        #expect(quick.contains("fsync = off"))
    }
}
