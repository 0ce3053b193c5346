import Identity
import MailTypes
import Postgres
import TestDatabases
import Testing

@Suite struct RequestLimiterTests {
    /// A key of the directory's account as a request shows it.
    private static func key(
        _ directory: Directory, _ requestsPerMinute: Int? = nil
    ) async throws -> AuthenticatedKey {
        let keys = directory.keys(cacheSeconds: 0)
        let made = try await keys.create(
            account: directory.account, name: "server", requestsPerMinute: requestsPerMinute)
        return try #require(try await keys.authenticate(made.key.exposed))
    }

    @Test func `two hundred calls at once over three nodes against sixty: sixty pass`() async throws {
        let directory = try await Directory()
        let key = try await Self.key(directory)
        let nodes = (0..<3).map { _ in RequestLimiter(pool: directory.database.pool, perMinute: 60) }
        let grants = try await withThrowingTaskGroup(of: RequestGrant.self) { group in
            for call in 0..<200 {
                group.addTask { try #require(try await nodes[call % 3].take(key)) }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        let granted = grants.filter(\.isGranted)
        #expect(granted.count == 60)
        // Each was told another number, down to none.
        #expect(granted.map(\.remaining).sorted() == Array(0..<60))
        #expect(grants.allSatisfy { $0.limit == 60 && (1...60).contains($0.secondsLeft) })
        #expect(grants.filter { !$0.isGranted }.allSatisfy { $0.remaining == 0 })
        let used = try await directory.database.owner.query("SELECT used FROM request_windows").only.decode(Int.self)
        #expect(used == 60)
    }

    @Test func `a window begins with its first request and gives all back at its end`() async throws {
        let directory = try await Directory()
        let key = try await Self.key(directory)
        func passed(_ calls: Int) async throws -> Int {
            let node = RequestLimiter(pool: directory.database.pool, perMinute: 3)
            var passed = 0
            for _ in 0..<calls where try await node.take(key)?.isGranted == true { passed += 1 }
            return passed
        }
        #expect(try await passed(2) == 2)
        #expect(try await passed(5) == 1)
        for (shift, expected) in [("50 seconds", 0), ("60 seconds", 3), ("-1 hour", 3)] {
            _ = try await passed(5)
            try await directory.database.owner.query(
                "UPDATE request_windows SET started_at = now() - \(shift)::text::interval")
            #expect(try await passed(5) == expected, "\(shift)")
        }
    }

    @Test func `a key that is over its limit costs no question, until its limit is another`() async throws {
        let directory = try await Directory()
        let key = try await Self.key(directory, 2)
        let node = RequestLimiter(pool: directory.database.pool, perMinute: 60)
        for expected in [true, true, false] { #expect(try await node.take(key)?.isGranted == expected) }
        try await directory.database.owner.query("DELETE FROM request_windows")
        // Nobody was asked.
        #expect(try await node.take(key)?.isGranted == false)
        #expect(try await directory.keys().limit(key.id, account: key.account, requestsPerMinute: 3))
        let other = try await directory.keys(cacheSeconds: 0).get(key.id, account: key.account)
        #expect(other.requestsPerMinute == 3)
        #expect(try await RequestLimiter(pool: directory.database.pool, perMinute: 1).take(key)?.limit == 2)
    }

    @Test func `keys are counted apart, and without a limit not at all`() async throws {
        let directory = try await Directory()
        let node = RequestLimiter(pool: directory.database.pool, perMinute: 1)
        let (first, second) = (try await Self.key(directory), try await Self.key(directory))
        #expect(try await node.take(first)?.isGranted == true)
        #expect(try await node.take(second)?.isGranted == true)
        #expect(try await node.take(first)?.isGranted == false)
        let unlimited = RequestLimiter(pool: directory.database.pool, perMinute: nil)
        #expect(try await unlimited.take(first) == nil)
        #expect(try await unlimited.take(try await Self.key(directory, 1))?.limit == 1)
    }

    @Test func `a database that cannot tell lets nobody wait for ever`() async throws {
        let directory = try await Directory()
        let key = try await Self.key(directory)
        let node = RequestLimiter(pool: directory.database.pool, perMinute: 60)
        await directory.database.pool.close()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<20 {
                group.addTask { await #expect(throws: PostgresError.self) { _ = try await node.take(key) } }
            }
        }
    }

    @Test func `limits out of bounds are refused`() async throws {
        let directory = try await Directory()
        let keys = directory.keys()
        let (_, id) = try await directory.key()
        for requests in [0, -1, 1_000_001] {
            await #expect(throws: IdentityError.invalidRequestLimit) {
                _ = try await keys.create(account: directory.account, name: "n", requestsPerMinute: requests)
            }
            await #expect(throws: IdentityError.invalidRequestLimit) {
                _ = try await keys.limit(id, account: directory.account, requestsPerMinute: requests)
            }
        }
        let other = try await directory.account("other")
        #expect(try await !keys.limit(id, account: other, requestsPerMinute: 5))
        #expect(try await keys.limit(id, account: directory.account, requestsPerMinute: 5))
        #expect(try await keys.limit(id, account: directory.account, requestsPerMinute: nil))
        #expect(try await keys.get(id, account: directory.account).requestsPerMinute == nil)
        _ = try await keys.revoke(id, account: directory.account)
        #expect(try await !keys.limit(id, account: directory.account, requestsPerMinute: 5))
    }
}

/// The requests of people who have signed in.
@Suite struct UserRequestLimiterTests {
    @Test func `all sessions of a user have one window, over three nodes and at once`() async throws {
        let people = try await People()
        _ = try await people.user()
        let signIn = people.signIn(people.sessions())
        var sessions: [AuthenticatedUser] = []
        for _ in 0..<4 {
            sessions.append(
                try await signIn.enter(
                    address: "ada@example.org", password: People.password, network: People.home
                ).user)
        }
        let all = sessions
        #expect(Set(all.map(\.session)).count == 4)
        let nodes = (0..<3).map { _ in RequestLimiter(pool: people.directory.database.pool, perMinute: 60) }
        let grants = try await withThrowingTaskGroup(of: RequestGrant.self) { group in
            for call in 0..<200 {
                group.addTask { try #require(try await nodes[call % 3].take(all[call % 4])) }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        let granted = grants.filter(\.isGranted)
        #expect(granted.count == 60)
        #expect(granted.map(\.remaining).sorted() == Array(0..<60))
        #expect(grants.allSatisfy { $0.limit == 60 && (1...60).contains($0.secondsLeft) })
        // The window ends by the database's clock.
        try await people.directory.database.owner.query(
            "UPDATE user_request_windows SET started_at = now() - interval '60 seconds'")
        let fresh = RequestLimiter(pool: people.directory.database.pool, perMinute: 60)
        #expect(try await fresh.take(all[0])?.remaining == 59)
    }

    @Test func `users are counted apart, operators among them, and keys by themselves`() async throws {
        let people = try await People()
        _ = try await people.user()
        _ = try await people.user("bo@example.org", .viewer)
        _ = try await people.users.create(
            .installationOperator, address: "root@example.net", password: People.password)
        let signIn = people.signIn(people.sessions())
        let node = RequestLimiter(pool: people.directory.database.pool, perMinute: 1)
        for address in ["ada@example.org", "bo@example.org", "root@example.net"] {
            let user = try await signIn.enter(address: address, password: People.password, network: People.home).user
            #expect(try await node.take(user)?.isGranted == true)
            #expect(try await node.take(user)?.isGranted == false)
            #expect(try await RequestLimiter(pool: people.directory.database.pool, perMinute: nil).take(user) == nil)
        }
        // A key may have the number of a user.
        let keys = people.directory.keys(cacheSeconds: 0)
        for _ in 0..<3 {
            let made = try await keys.create(account: people.directory.account, name: "n")
            let key = try #require(try await keys.authenticate(made.key.exposed))
            #expect(try await node.take(key)?.isGranted == true)
        }
    }
}
