import Foundation
import Identity
import MailTypes
import Postgres
import TestDatabases
import Testing
import Vault

@Suite struct SessionTests {
    @Test func `a sign-in begins a session that both of its secrets open`() async throws {
        let people = try await People()
        let ada = try await people.user()
        let (here, elsewhere) = (people.sessions(), people.sessions())
        let begun = try await people.signIn(here).enter(
            address: "Ada@Example.org", password: People.password, network: People.home)
        #expect((begun.user.user, begun.user.account, begun.user.kind) == (ada.id, people.directory.account, ada.kind))
        let token = begun.secrets.token.exposed
        let refresh = try #require(begun.secrets.refresh?.exposed)
        let shown = try #require(try await elsewhere.authenticate(token: token, refresh: nil))
        #expect(shown.user == begun.user && shown.fresh == nil)
        let refreshed = try #require(try await elsewhere.authenticate(token: nil, refresh: refresh))
        #expect(refreshed.user == begun.user && refreshed.fresh?.refresh == nil)
        let next = try #require(refreshed.fresh?.token.exposed)
        #expect(try await here.authenticate(token: next, refresh: nil)?.user == begun.user)
        #expect(try await people.users.list(of: people.directory.account).first?.lastSignInAt != nil)
        for text in ["\(begun.secrets)", String(reflecting: begun.user)] {
            #expect(!text.contains(token) && !text.contains(refresh) && !text.contains("ada@"))
        }
    }

    @Test func `each sign-in is a session of its own, whatever the browser had before`() async throws {
        let people = try await People()
        _ = try await people.user()
        let sessions = people.sessions()
        let first = try await people.signIn(sessions).enter(
            address: "ada@example.org", password: People.password, network: People.home)
        let second = try await people.signIn(sessions).enter(
            address: "ada@example.org", password: People.password, network: People.home)
        #expect(first.user.session != second.user.session)
        #expect(first.secrets.refresh != second.secrets.refresh && first.secrets.token != second.secrets.token)
        #expect(sessions.proof(of: first.user) != sessions.proof(of: second.user))
        #expect(sessions.isProof(sessions.proof(of: first.user), of: first.user))
        for wrong in [sessions.proof(of: second.user), "", String(sessions.proof(of: first.user).dropLast())] {
            #expect(!sessions.isProof(wrong, of: first.user))
        }
    }

    @Test func `the database holds neither of the secrets`() async throws {
        let people = try await People()
        _ = try await people.user()
        let secrets = try await people.signIn(people.sessions()).enter(
            address: "ada@example.org", password: People.password, network: People.home
        ).secrets
        let secret = try #require(secrets.refresh?.exposed.split(separator: ".").last)
        let rows = try await people.directory.database.owner.query(
            "SELECT s::text FROM sessions s UNION ALL SELECT k::text FROM session_keys k"
        ).map { try $0.decode(String.self) }
        #expect(rows.count == 2)
        for row in rows { #expect(!row.contains(secret) && !row.contains(secrets.token.exposed)) }
    }

    private enum Ending: CaseIterable { case one, user, account, password, removal }

    @Test(arguments: 0..<5) func `a session that is ended is over at once here, within a second elsewhere, for good`(
        _ kind: Int
    ) async throws {
        let people = try await People()
        let ada = try await people.user()
        _ = try await people.user("bo@example.org", .owner)
        let (here, elsewhere) = (people.sessions(), people.sessions())
        let begun = try await people.signIn(here).enter(
            address: "ada@example.org", password: People.password, network: People.home)
        let token = begun.secrets.token.exposed, refresh = begun.secrets.refresh?.exposed
        #expect(try await here.authenticate(token: token, refresh: nil) != nil)
        #expect(try await elsewhere.authenticate(token: token, refresh: nil) != nil)
        #expect(try await elsewhere.isStillValid(begun.user))
        let account = people.directory.account
        var atOnce = true
        switch Ending.allCases[kind] {
        case .one:
            #expect(try await here.end(begun.user.session, of: account))
            #expect(try await !here.end(begun.user.session, of: account))
        case .user: #expect(try await here.endAll(of: ada.id, in: account))
        case .account: try await here.endAll(of: account)
        case .password:
            try await people.users.setPassword("rope lantern 42 goose", of: ada.id, in: account)
            atOnce = false
        case .removal:
            try await people.users.remove(ada.id, from: account)
            atOnce = false
        }
        if atOnce { #expect(try await here.authenticate(token: token, refresh: refresh) == nil) }
        // Believed without asking, for the rest of the second; but no new token.
        #expect(try await elsewhere.authenticate(token: token, refresh: nil) != nil)
        #expect(try await elsewhere.authenticate(token: nil, refresh: refresh) == nil)
        people.directory.clock.advance(bySeconds: 1)
        for sessions in [here, elsewhere] {
            #expect(try await sessions.authenticate(token: token, refresh: refresh) == nil)
            #expect(try await !sessions.isStillValid(begun.user))
        }
        #expect(try await here.list(of: account).isEmpty)
    }

    @Test func `who signs in after all sessions were ended is not among them`() async throws {
        let people = try await People()
        let ada = try await people.user()
        let sessions = people.sessions(cacheSeconds: 0)
        for _ in 0..<3 {
            #expect(try await sessions.endAll(of: ada.id, in: people.directory.account))
            try await sessions.endAll(of: people.directory.account)
            let begun = try await people.signIn(sessions).enter(
                address: "ada@example.org", password: People.password, network: People.home)
            #expect(
                try await sessions.authenticate(token: begun.secrets.token.exposed, refresh: nil)?.user == begun.user)
        }
        #expect(try await sessions.list(of: people.directory.account).count == 1)
    }

    @Test func `another account's sessions cannot be ended`() async throws {
        let people = try await People()
        _ = try await people.user()
        let sessions = people.sessions(cacheSeconds: 0)
        let begun = try await people.signIn(sessions).enter(
            address: "ada@example.org", password: People.password, network: People.home)
        let other = try await people.directory.account("other")
        for account in [other, Vault.installation] {
            #expect(try await !sessions.end(begun.user.session, of: account))
            try await sessions.endAll(of: account)
            #expect(try await sessions.list(of: account).isEmpty)
        }
        #expect(try await sessions.isStillValid(begun.user))
    }

    @Test func `a role that changes counts within a second`() async throws {
        let people = try await People()
        _ = try await people.user("bo@example.org", .owner)
        let ada = try await people.user("ada@example.org", .admin)
        let sessions = people.sessions()
        let begun = try await people.signIn(sessions).enter(
            address: "ada@example.org", password: People.password, network: People.home)
        let token = begun.secrets.token.exposed
        #expect(try await sessions.authenticate(token: token, refresh: nil)?.user.kind.role == .admin)
        try await people.users.setRole(.viewer, of: ada.id, in: people.directory.account)
        people.directory.clock.advance(bySeconds: 1)
        #expect(try await sessions.authenticate(token: token, refresh: nil)?.user.kind.role == .viewer)
        // What began with more is over.
        #expect(try await !sessions.isStillValid(begun.user))
        await #expect(throws: SessionError.isOver) {
            try await people.directory.database.pool.withTransaction { try await sessions.hold(begun.user, on: $0) }
        }
    }

    @Test(arguments: [
        ("last_seen_at = now() - interval '8 hours 1 second'", false),
        ("last_seen_at = now() - interval '7 hours 59 minutes'", true),
        ("expires_at = now() - interval '1 second'", false), ("expires_at = now() + interval '1 minute'", true),
        ("created_at = now() - interval '29 days'", true),
    ]) func `a session ends when it is idle for eight hours, or thirty days old`(
        _ change: String, _ goesOn: Bool
    ) async throws {
        let people = try await People()
        _ = try await people.user()
        let sessions = people.sessions(cacheSeconds: 0)
        let begun = try await people.signIn(sessions).enter(
            address: "ada@example.org", password: People.password, network: People.home)
        let days = try await people.directory.database.owner.query(
            "SELECT (expires_at - created_at) = interval '30 days' FROM sessions"
        ).only.decode(Bool.self)
        #expect(days)
        try await people.directory.database.owner.withConnection { connection in
            try await connection.execute(script: "UPDATE sessions SET \(change)")
        }
        for (token, refresh) in [(begun.secrets.token.exposed, nil), (nil, begun.secrets.refresh?.exposed)] {
            #expect((try await sessions.authenticate(token: token, refresh: refresh) != nil) == goesOn)
        }
        #expect(try await sessions.list(of: people.directory.account).count == (goesOn ? 1 : 0))
        #expect(try await sessions.sweep(on: people.directory.database.pool) == (goesOn ? 0 : 1))
    }

    @Test func `a request is a sign of life, a stream's look is none`() async throws {
        let people = try await People()
        _ = try await people.user()
        let sessions = people.sessions(cacheSeconds: 0)
        let begun = try await people.signIn(sessions).enter(
            address: "ada@example.org", password: People.password, network: People.home)
        func isFresh() async throws -> Bool {
            try await people.directory.database.owner.query(
                "SELECT last_seen_at > now() - interval '1 minute' FROM sessions"
            ).only.decode(Bool.self)
        }
        try await people.directory.database.owner.query("UPDATE sessions SET last_seen_at = now() - interval '1 hour'")
        #expect(try await sessions.isStillValid(begun.user))
        #expect(try await !isFresh())
        #expect(try await sessions.authenticate(token: begun.secrets.token.exposed, refresh: nil) != nil)
        #expect(try await isFresh())
    }

    @Test func `a user has so many sessions, and the one seen longest ago goes first`() async throws {
        let people = try await People()
        let ada = try await people.user()
        let sessions = people.sessions(cacheSeconds: 0)
        let first = try await people.signIn(sessions).enter(
            address: "ada@example.org", password: People.password, network: People.home)
        try await people.directory.database.owner.query(
            """
            INSERT INTO sessions (account_id, user_id, refresh_hash, user_generation, account_generation, expires_at,
                last_seen_at)
            SELECT account_id, user_id, refresh_hash, 0, 0, expires_at, now() + n * interval '1 second'
            FROM sessions, generate_series(1, \(Int32(PeopleLimits.sessionsOfUser - 1))) n
            """)
        #expect(try await sessions.list(of: people.directory.account).count == PeopleLimits.sessionsOfUser)
        #expect(try await sessions.isStillValid(first.user))
        _ = try await people.signIn(sessions).enter(
            address: "ada@example.org", password: People.password, network: People.home)
        #expect(try await !sessions.isStillValid(first.user))
        let left = try await sessions.list(of: people.directory.account)
        #expect(left.count == PeopleLimits.sessionsOfUser && left.allSatisfy { $0.user == ada.id })
    }

    @Test(arguments: [
        "", ".", "..", "1.1.", "0.0.\(String(repeating: "x", count: 43))", "1.1.\(String(repeating: "x", count: 43))",
        "-1.1.\(String(repeating: "x", count: 43))", "1.1.\(String(repeating: "x", count: 42))'",
        "1.99999999999999999999.\(String(repeating: "x", count: 43))", "1.1.\(String(repeating: "x", count: 43)).",
    ]) func `what is no refresh secret opens nothing`(_ text: String) async throws {
        let people = try await People()
        _ = try await people.user()
        let sessions = people.sessions(cacheSeconds: 0)
        _ = try await people.signIn(sessions).enter(
            address: "ada@example.org", password: People.password, network: People.home)
        #expect(try await sessions.authenticate(token: nil, refresh: text) == nil)
    }
}
