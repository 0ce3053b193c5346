import Identity
import MailTypes
import Postgres
import TestDatabases
import Testing

@Suite struct QuotaTests {
    @Test func `an account has so many answers and no more, and others have their own`() async throws {
        let directory = try await Directory()
        let other = try await directory.account("other")
        try await store("a", directory.account, IdempotencyStore(answers: 2), directory)
        let full = IdempotencyStore(answers: 1)
        await #expect(throws: IdempotencyError.tooManyAnswers) {
            try await store("b", directory.account, full, directory)
        }
        try await store("b", other, full, directory)
    }

    @Test func `an account has so many keys that live and no more`() async throws {
        let directory = try await Directory()
        try await directory.database.owner.query(
            """
            INSERT INTO api_keys (account_id, key_id, name, mode, display_prefix)
            SELECT \(directory.account.rawValue), -n, 'n', 'live', 'sl_live_1234'
            FROM generate_series(1, \(IdentityLimits.keys)) n
            """)
        let keys = directory.keys()
        await #expect(throws: IdentityError.tooManyKeys) {
            try await keys.create(account: directory.account, name: "one more")
        }
        _ = try await keys.revoke(APIKeyID(rawValue: -1), account: directory.account)
        _ = try await keys.create(account: directory.account, name: "one more")
    }

    @Test func `a quota is counted once a minute for each account`() async throws {
        let quota = AccountQuota(5)
        var counts: [Int] = []
        for (account, found) in [(1, 4), (1, 9), (2, 5), (2, 0)] {
            let isFull = try await quota.isFull(AccountID(rawValue: Int64(account))) { most in
                #expect(most == 5)
                counts.append(found)
                return found
            }
            #expect(isFull == (account == 2))
        }
        #expect(counts == [4, 5])
    }

    @Test func `a quota that was set for an account is counted for at once`() async throws {
        let quota = AccountQuota(5)
        let account = AccountID(rawValue: 1)
        for (own, isFull) in [(nil, false), (3, true), (nil, false), (4, true), (5, false)] as [(Int?, Bool)] {
            #expect(try await quota.isFull(account, own: own) { _ in 4 } == isFull, "\(own ?? -1)")
        }
    }

    private func store(
        _ key: String, _ account: AccountID, _ store: IdempotencyStore, _ directory: Directory
    ) async throws {
        try await directory.database.pool.withTransaction { connection in
            try await store.store(
                account: account, key: key, scope: "POST /v1/campaigns", requestHash: [UInt8](repeating: 1, count: 32),
                status: 201, contentType: nil, body: [1], on: connection)
        }
    }
}
