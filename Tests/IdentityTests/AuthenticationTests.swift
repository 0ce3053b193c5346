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
        let second = try await keys.create(account: other, name: "server")
        #expect(try await keys.authenticate(first.key.exposed)?.account == directory.account)
        let known = try #require(try await keys.authenticate(second.key.exposed))
        #expect((known.account, known.id, known.terms) == (other, second.record.id, KeyTerms()))
    }

    @Test func a_mistyped_key_needs_no_database() async throws {
        let directory = try await Directory()
        let (key, _) = try await directory.key()
        let keys = directory.keys()
        await directory.database.pool.close()
        let last = key.exposed.last == "0" ? "1" : "0"
        #expect(try await keys.authenticate(key.exposed.dropLast() + last) == nil)
        // A database that cannot tell is an error, not a wrong key.
        await #expect(throws: PostgresError.self) { _ = try await keys.authenticate(key.exposed) }
    }

    @Test func unknown_and_malformed_keys_stand_for_nobody() async throws {
        let directory = try await Directory()
        let keys = directory.keys()
        var generator = SystemRandomNumberGenerator()
        #expect(try await keys.authenticate(APIKey(using: &generator).exposed) == nil)
        for text in ["", "secret", "sl_live_'; DROP TABLE api_keys; --"] {
            #expect(try await keys.authenticate(text) == nil)
        }
    }

    @Test func the_database_holds_no_key() async throws {
        let directory = try await Directory()
        let (key, _) = try await directory.key()
        let secret = String(key.exposed.dropFirst(12))
        let rows = try await directory.database.pool.query(
            """
            SELECT count(*) FROM (SELECT k::text AS row FROM api_keys k UNION ALL SELECT h::text FROM api_key_hashes h) t
            WHERE row LIKE \("%\(secret)%") OR row LIKE \("%\(secret.prefix(8))%")
            """)
        #expect(try rows.first?.decode(Int64.self) == 0)
    }

    @Test func a_revoked_key_ends_at_once_here_and_within_a_second_elsewhere() async throws {
        let directory = try await Directory()
        let here = directory.keys()
        let elsewhere = directory.keys()
        let (key, id) = try await directory.key()
        let known = try #require(try await here.authenticate(key.exposed))
        #expect(try await elsewhere.authenticate(key.exposed) == known)
        #expect(try await here.revoke(id, account: directory.account))
        #expect(try await here.authenticate(key.exposed) == nil)
        #expect(try await !here.isStillValid(known))
        // Believed without asking, for the rest of the second.
        #expect(try await elsewhere.isStillValid(known))
        directory.clock.advance(bySeconds: 1)
        #expect(try await elsewhere.authenticate(key.exposed) == nil)
        #expect(try await !elsewhere.isStillValid(known))
        #expect(try await here.revoke(id, account: directory.account) == false)
    }

    @Test func a_revoked_key_never_comes_back() async throws {
        let directory = try await Directory()
        let (_, id) = try await directory.key()
        let keys = directory.keys(cacheSeconds: 0)
        #expect(try await keys.revoke(id, account: directory.account))
        let revokedAt = try await keys.get(id, account: directory.account).revokedAt
        for pool in [directory.database.pool, directory.database.owner] {
            for change in ["NULL", "now() + interval '1 day'"] {
                await #expect(throws: PostgresError.self) {
                    try await pool.withConnection { connection in
                        try await connection.execute(script: "UPDATE api_keys SET revoked_at = \(change)")
                    }
                }
            }
        }
        await #expect(throws: PostgresError.self) {
            try await directory.database.pool.withConnection { connection in
                try await connection.execute(script: "DELETE FROM api_keys")
            }
        }
        #expect(try await keys.get(id, account: directory.account).revokedAt == revokedAt && revokedAt != nil)
    }

    @Test func what_a_key_is_for_does_not_change() async throws {
        let directory = try await Directory()
        _ = try await directory.key()
        for change in ["scopes = NULL", "networks = '{}'", "expires_at = NULL", "name = 'x'"] {
            await #expect(throws: PostgresError.self) {
                try await directory.database.pool.withConnection { connection in
                    try await connection.execute(script: "UPDATE api_keys SET \(change)")
                }
            }
        }
    }

    @Test func an_expired_key_ends() async throws {
        let directory = try await Directory()
        let keys = directory.keys(cacheSeconds: 0)
        let hour = try await directory.hoursFromNow(1)
        let (key, id) = try await directory.key("for an hour", KeyTerms(expiresAt: hour))
        #expect(try await keys.authenticate(key.exposed)?.terms.expiresAt == hour)
        try await directory.database.owner.query("UPDATE api_keys SET expires_at = now() - interval '1 second'")
        #expect(try await keys.authenticate(key.exposed) == nil)
        // It is over without having been revoked.
        #expect(try await keys.get(id, account: directory.account).revokedAt == nil)
        await #expect(throws: IdentityError.invalidExpiry) {
            _ = try await directory.key("too late", KeyTerms(expiresAt: try await directory.hoursFromNow(-1)))
        }
    }

    @Test func keys_of_before_have_all_scopes_and_come_from_anywhere() async throws {
        let directory = try await Directory()
        let (key, id) = try await directory.key("old", KeyTerms(scopes: try KeyScopes(["credits:read"])))
        // As a node of the version before writes one.
        try await directory.database.owner.query("UPDATE api_keys SET scopes = NULL, networks = DEFAULT")
        let known = try #require(try await directory.keys().authenticate(key.exposed))
        #expect(known.terms == KeyTerms() && known.id == id)
        #expect(Scope.allCases.allSatisfy(known.terms.scopes.allows))
    }

    @Test func a_network_that_nobody_understands_is_not_everywhere() async throws {
        let directory = try await Directory()
        let (key, _) = try await directory.key("limited", KeyTerms(networks: try KeyTerms.networks(["192.0.2.1"])))
        try await directory.database.owner.query("UPDATE api_keys SET networks = '{junk}'")
        await #expect(throws: PostgresError.self) {
            _ = try await directory.keys().authenticate(key.exposed)
        }
    }

    @Test func no_account_revokes_or_lists_the_keys_of_another() async throws {
        let directory = try await Directory()
        let keys = directory.keys(cacheSeconds: 0)
        let other = try await directory.account("other")
        let (key, id) = try await directory.key()
        #expect(try await keys.revoke(id, account: other) == false)
        #expect(try await keys.authenticate(key.exposed)?.account == directory.account)
        #expect(try await keys.list(account: other).isEmpty)
        await #expect(throws: IdentityError.keyNotFound) { _ = try await keys.get(id, account: other) }
    }

    @Test func keys_are_listed_newest_first() async throws {
        let directory = try await Directory()
        let keys = directory.keys()
        let terms = KeyTerms(
            scopes: try KeyScopes(["keys:*", "credits:read"]),
            networks: try KeyTerms.networks(["2001:db8::/32", "192.0.2.0/24"]),
            expiresAt: try await directory.hoursFromNow(1))
        let first = try await directory.key("first")
        let second = try await directory.key("zweiter ü", terms)
        _ = try await keys.authenticate(first.key.exposed)
        _ = try await keys.revoke(second.id, account: directory.account)
        let listed = try await keys.list(account: directory.account)
        #expect(listed.map(\.id) == [second.id, first.id])
        #expect(listed.map(\.name) == ["zweiter ü", "first"])
        #expect(listed.map(\.terms) == [terms, KeyTerms()])
        #expect(listed.map(\.displayPrefix) == [second.key.displayPrefix, first.key.displayPrefix])
        #expect(listed.map { $0.lastUsedAt != nil } == [false, true])
        #expect(listed.map { $0.revokedAt != nil } == [true, false])
        #expect(try await keys.list(account: directory.account, limit: 1).map(\.id) == [second.id])
        #expect(try await keys.list(account: directory.account, before: second.id).map(\.id) == [first.id])
        #expect(try await keys.get(first.id, account: directory.account) == listed[1])
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

    @Test func a_known_key_needs_no_database_for_a_second() async throws {
        let directory = try await Directory()
        let keys = directory.keys()
        let (key, _) = try await directory.key()
        _ = try await keys.authenticate(key.exposed)
        await directory.database.pool.close()
        #expect(try await keys.authenticate(key.exposed)?.account == directory.account)
        directory.clock.advance(bySeconds: 1)
        await #expect(throws: PostgresError.self) { _ = try await keys.authenticate(key.exposed) }
    }

    @Test func a_key_makes_none_that_can_do_more_than_itself() async throws {
        let directory = try await Directory()
        let keys = directory.keys(cacheSeconds: 0)
        let terms = KeyTerms(scopes: try KeyScopes(["keys:*", "credits:read"]))
        let (key, id) = try await directory.key("maker", terms)
        let maker = try await keys.authenticate(key.exposed)
        func make(_ scopes: String) async throws {
            _ = try await keys.create(
                account: directory.account, name: "made", terms: KeyTerms(scopes: try KeyScopes([scopes])),
                creator: maker)
        }
        try await make("credits:read")
        await #expect(throws: IdentityError.exceedsOwnTerms) { try await make("campaigns:send") }
        await #expect(throws: IdentityError.exceedsOwnTerms) { try await make("*") }
        // Known a moment ago, revoked since: it leaves nothing behind.
        _ = try await keys.revoke(id, account: directory.account)
        await #expect(throws: IdentityError.keyNotFound) { try await make("credits:read") }
        #expect(try await keys.list(account: directory.account).count == 2)
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
