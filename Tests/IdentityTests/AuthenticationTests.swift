import CreditLedger
import Identity
import MailTypes
import Postgres
import TestDatabases
import Testing

@Suite struct AuthenticationTests {
    @Test func a_key_stands_for_its_account() async throws {
        let directory = try await Directory()
        let keys = directory.keys()
        let other = try await directory.account("other")
        let first = try await keys.create(account: directory.account, name: "server")
        let second = try await keys.create(account: other, name: "server", mode: .test)
        #expect(try await keys.authenticate(first.key.exposed) == directory.account)
        #expect(try await keys.authenticate(second.key.exposed) == other)
        let known = try #require(try await keys.authenticatedKey(second.key.exposed))
        #expect((known.keyID, known.mode) == (second.id, .test))
    }

    @Test func unknown_and_malformed_keys_stand_for_nobody() async throws {
        let directory = try await Directory()
        let keys = directory.keys()
        var generator = SystemRandomNumberGenerator()
        #expect(try await keys.authenticate(APIKey(mode: .live, using: &generator).exposed) == nil)
        for text in ["", "secret", "sl_live_'; DROP TABLE api_keys; --"] {
            #expect(try await keys.authenticate(text) == nil)
        }
    }

    @Test func the_database_holds_no_key() async throws {
        let directory = try await Directory()
        let (key, _) = try await directory.keys().create(account: directory.account, name: "server")
        let secret = String(key.exposed.dropFirst(12))
        let rows = try await directory.database.pool.query(
            """
            SELECT count(*) FROM (SELECT k::text AS row FROM api_keys k UNION ALL SELECT h::text FROM api_key_hashes h) t
            WHERE row LIKE \("%\(secret)%") OR row LIKE \("%\(secret.prefix(8))%")
            """)
        #expect(try rows.first?.decode(Int64.self) == 0)
    }

    @Test func a_revoked_key_ends_at_once_here_and_soon_elsewhere() async throws {
        let directory = try await Directory()
        let here = directory.keys()
        let elsewhere = directory.keys()
        let (key, id) = try await here.create(account: directory.account, name: "server")
        #expect(try await here.authenticate(key.exposed) != nil)
        #expect(try await elsewhere.authenticate(key.exposed) != nil)
        #expect(try await here.revoke(id, account: directory.account))
        #expect(try await here.authenticate(key.exposed) == nil)
        directory.clock.advance(bySeconds: 9)
        #expect(try await elsewhere.authenticate(key.exposed) == directory.account)
        directory.clock.advance(bySeconds: 1)
        #expect(try await elsewhere.authenticate(key.exposed) == nil)
        #expect(try await here.revoke(id, account: directory.account) == false)
    }

    @Test func no_account_revokes_or_lists_the_keys_of_another() async throws {
        let directory = try await Directory()
        let keys = directory.keys(cacheSeconds: 0)
        let other = try await directory.account("other")
        let (key, id) = try await keys.create(account: directory.account, name: "server")
        #expect(try await keys.revoke(id, account: other) == false)
        #expect(try await keys.authenticate(key.exposed) == directory.account)
        #expect(try await keys.list(account: other).isEmpty)
    }

    @Test func keys_are_listed_newest_first() async throws {
        let directory = try await Directory()
        let keys = directory.keys()
        let first = try await keys.create(account: directory.account, name: "first")
        let second = try await keys.create(account: directory.account, name: "zweiter ü", mode: .test)
        _ = try await keys.authenticate(first.key.exposed)
        _ = try await keys.revoke(second.id, account: directory.account)
        let listed = try await keys.list(account: directory.account)
        #expect(listed.map(\.id) == [second.id, first.id])
        #expect(listed.map(\.name) == ["zweiter ü", "first"])
        #expect(listed.map(\.mode) == [.test, .live])
        #expect(listed.map(\.displayPrefix) == [second.key.displayPrefix, first.key.displayPrefix])
        #expect(listed.map { $0.lastUsedAt != nil } == [false, true])
        #expect(listed.map { $0.revokedAt != nil } == [true, false])
    }

    @Test func the_last_use_is_written_once_a_minute() async throws {
        let directory = try await Directory()
        let keys = directory.keys(cacheSeconds: 0)
        let (key, _) = try await keys.create(account: directory.account, name: "server")
        func lastUse() async throws -> PostgresTimestamp? {
            _ = try await keys.authenticate(key.exposed)
            return try await keys.list(account: directory.account).first?.lastUsedAt
        }
        let first = try #require(try await lastUse())
        // A use in the future stands for one less than a minute ago, however slow the test.
        try await directory.database.owner.query("UPDATE api_keys SET last_used_at = now() + interval '1 hour'")
        let recent = try #require(try await lastUse())
        #expect(recent > first)
        #expect(try await lastUse() == recent)
        try await directory.database.owner.query("UPDATE api_keys SET last_used_at = now() - interval '61 seconds'")
        let old = try #require(try await keys.list(account: directory.account).first?.lastUsedAt)
        let renewed = try #require(try await lastUse())
        #expect(old < renewed && renewed < recent)
    }

    @Test func a_known_key_needs_no_database() async throws {
        let directory = try await Directory()
        let keys = directory.keys()
        let (key, _) = try await keys.create(account: directory.account, name: "server")
        _ = try await keys.authenticate(key.exposed)
        await directory.database.pool.close()
        #expect(try await keys.authenticate(key.exposed) == directory.account)
        directory.clock.advance(bySeconds: 10)
        // A database that cannot tell is an error, not a wrong key.
        await #expect(throws: PostgresError.self) { _ = try await keys.authenticate(key.exposed) }
    }

    @Test func a_full_cache_goes_on() async throws {
        let cache = AuthenticationCacheProbe(capacity: 3)
        for number in 1...10 { cache.keep(number) }
        #expect(cache.count <= 3)
        #expect(cache.finds(10))
    }

    @Test func bad_names_and_unknown_accounts_are_refused() async throws {
        let directory = try await Directory()
        let keys = directory.keys()
        for name in ["", "a\nb", String(repeating: "n", count: 101)] {
            await #expect(throws: IdentityError.invalidName) {
                _ = try await keys.create(account: directory.account, name: name)
            }
        }
        await #expect(throws: IdentityError.accountNotFound) {
            _ = try await keys.create(account: AccountID(rawValue: 4_711), name: "server")
        }
        let rows = try await directory.database.pool.query("SELECT count(*) FROM api_key_hashes")
        #expect(try rows.first?.decode(Int64.self) == 0)
    }
}
