import Feedback
import MailTypes
import Postgres
import TestDatabases
import Testing
import Vault

/// Addresses that are kept beside their fingerprints, lists that are taken over, and the operator's own list.
@Suite struct ListedAddressTests {
    private func time(_ seconds: Int64) -> PostgresTimestamp { PostgresTimestamp(seconds: seconds) }

    @Test func `an address that the account named is shown again, and lies sealed`() async throws {
        let lists = try await Lists()
        try await lists.list.add(
            Lists.addresses("Jane@example.org"), account: lists.first, reason: .manual, origin: .customer)
        #expect(try await lists.list.list(lists.first).first?.address?.text == "Jane@example.org")
        let stored = try await lists.database.owner.query("SELECT sealed, fingerprint FROM suppressions").only
            .decode([UInt8].self, [UInt8].self)
        #expect(!String(decoding: stored.0, as: UTF8.self).contains("example"))
        // What campaigns and recipients say names nobody.
        let met = try await lists.fingerprint("met@example.org", lists.first)
        try await lists.run { list, connection in
            try await list.add([NewSuppression(met, .hardBounce)], account: lists.first, origin: .reply, on: connection)
        }
        #expect(try await lists.list.find(EmailAddress("met@example.org"), account: lists.first)?.address == nil)
        // Until the account names it: the reason stays, being the stronger one.
        try await lists.list.add(
            Lists.addresses("met@example.org"), account: lists.first, reason: .invalid, origin: .customer)
        let named = try await lists.list.find(EmailAddress("met@example.org"), account: lists.first)
        #expect((named?.address?.text, named?.reason, named?.origin) == ("met@example.org", .hardBounce, .reply))
    }

    @Test func `a seal that was moved to another row does not open, and suppresses nobody else`() async throws {
        let lists = try await Lists()
        try await lists.list.add(
            Lists.addresses("a@example.org", "b@example.org"), account: lists.first, reason: .manual, origin: .customer)
        try await lists.database.owner.query(
            "UPDATE suppressions s SET sealed = o.sealed FROM suppressions o WHERE o.fingerprint <> s.fingerprint")
        #expect(try await lists.list.list(lists.first).map(\.address) == [nil, nil])
    }

    @Test func `a list that is taken over keeps reasons, times and notes, and resurrects nobody`() async throws {
        let lists = try await Lists()
        let gone = try EmailAddress("gone@example.org")
        try await lists.list.add([gone], account: lists.first, reason: .complaint, origin: .recipient, note: "before")
        let before = try #require(try await lists.list.find(gone, account: lists.first))
        let added = try await lists.list.add(
            [
                ListedAddress(.address(gone), .manual, note: "after", createdAt: time(1_000)),
                ListedAddress(
                    .address(try EmailAddress("a@example.org")), .unsubscribe, note: "n", createdAt: time(2_000)),
                ListedAddress(.address(try EmailAddress("A@example.org")), .hardBounce, createdAt: time(3_000)),
                ListedAddress(.address(try EmailAddress("b@example.org")), .invalid, createdAt: time(32_000_000_000)),
                ListedAddress(.fingerprint(Fingerprint(high: 1, low: 2)), .hardBounce, createdAt: time(500)),
            ], account: lists.first, origin: .customer)
        #expect(added == 3)
        #expect(try await lists.list.find(gone, account: lists.first) == before)
        let listed = try await lists.list.list(lists.first)
        #expect(listed.map(\.reason) == [.invalid, .complaint, .unsubscribe, .hardBounce].sorted(by: listed))
        let first = try #require(listed.first { $0.reason == .unsubscribe })
        #expect((first.createdAt, first.note) == (time(2_000), "n"))
        let ahead = try #require(listed.first { $0.reason == .invalid })
        #expect(ahead.createdAt.seconds < 30_000_000_000, "nothing was listed in the future")
    }

    @Test func `what is listed for a reason is found by it, page by page`() async throws {
        let lists = try await Lists()
        for number in 1...5 {
            try await lists.list.add(
                (0..<4).map { try EmailAddress("p\(number)x\($0)@example.org") }, account: lists.first,
                reason: number.isMultiple(of: 2) ? .manual : .unsubscribe, origin: .customer)
        }
        var seen: [Suppression] = []
        while case let page = try await lists.list.list(
            lists.first, reason: .unsubscribe, after: seen.last?.cursor, limit: 5), !page.isEmpty
        {
            seen += page
        }
        #expect(Set(seen.map(\.fingerprint)).count == 12 && seen.count == 12)
        #expect(seen.allSatisfy { $0.reason == .unsubscribe })
    }

    @Test(arguments: SuppressionReason.allCases)
    func `only the operator takes off what a recipient asked for`(reason: SuppressionReason) async throws {
        let lists = try await Lists()
        let address = try EmailAddress("a@example.org")
        try await lists.list.add([address], account: lists.first, reason: reason, origin: .customer)
        if [.unsubscribe, .complaint].contains(reason) {
            await #expect(throws: SuppressionError.protected) {
                try await lists.list.remove(address, account: lists.first)
            }
            #expect(try await lists.list.contains(address, account: lists.first))
            #expect(try await lists.list.remove(address, account: lists.first, isOperator: true))
        } else {
            #expect(try await lists.list.remove(address, account: lists.first))
        }
        #expect(try await lists.list.contains(address, account: lists.first) == false)
    }

    // MARK: The operator's list

    @Test func `what the operator lists for all holds for each account at once`() async throws {
        let lists = try await Lists()
        let (listed, other) = (try EmailAddress("Trap@example.org"), try EmailAddress("other@example.org"))
        func suppressed() async throws -> [AccountID: Int] {
            var asked: [AccountID: [Addressee]] = [:]
            for account in [lists.first, lists.second] {
                for address in [listed, other] {
                    let fingerprint = try await lists.fingerprint(address.text, account)
                    asked[account, default: []].append(Addressee(fingerprint, address))
                }
            }
            return try await lists.run { [asked] in try await $0.which(of: asked, on: $1) }.mapValues(\.count)
        }
        #expect(try await suppressed() == [:])
        #expect(try await lists.list.findForAll(listed) == nil)
        let added = try await lists.list.add(
            [listed], account: Vault.installation, reason: .complaint, origin: .operator, note: "a trap")
        #expect(added == 1)
        #expect(try await suppressed() == [lists.first: 1, lists.second: 1])
        #expect(try await lists.list.findForAll(EmailAddress("trap@EXAMPLE.org"))?.address == listed)
        #expect(try await lists.list.list(lists.first).isEmpty)
        #expect(try await lists.list.list(Vault.installation).map(\.note) == ["a trap"])
        try await lists.list.add([other], account: lists.first, reason: .manual, origin: .customer)
        #expect(try await suppressed() == [lists.first: 2, lists.second: 1])
        // The fingerprint under the installation's key is no account's.
        let ofAll = try #require(try await lists.list.findForAll(listed)?.fingerprint)
        #expect(try await lists.fingerprint("trap@example.org", lists.first) != ofAll)
        #expect(try await lists.list.remove(listed, account: Vault.installation, isOperator: true))
        #expect(try await suppressed() == [lists.first: 1])
    }

    @Test func `where the installation's key is lost nobody is told that an address may be mailed`() async throws {
        let lists = try await Lists()
        let address = try EmailAddress("trap@example.org")
        try await lists.list.add([address], account: Vault.installation, reason: .manual, origin: .operator)
        try await lists.database.owner.query("DELETE FROM account_keys WHERE account_id = 0")
        // As another process has it.
        let vault = Vault(pool: lists.database.pool, records: lists.database.pool, masterKey: MasterKey())
        let list = SuppressionList(records: lists.database.pool, vault: vault)
        let addressee = Addressee(Fingerprint(high: 1, low: 1), address)
        await #expect(throws: VaultError.self) {
            try await lists.database.pool.withTransaction { connection in
                try await list.which(of: [addressee], account: lists.first, on: connection)
            }
        }
        await #expect(throws: VaultError.self) {
            try await list.add([address], account: Vault.installation, reason: .manual, origin: .operator)
        }
        // No other key took its place.
        let keys = try await lists.database.owner.query("SELECT FROM account_keys WHERE account_id = 0")
        #expect(keys.isEmpty)
    }
}

extension [SuppressionReason] {
    /// In the order in which the list has them.
    fileprivate func sorted(by listed: [Suppression]) -> [SuppressionReason] {
        sorted { one, other in
            (listed.firstIndex { $0.reason == one } ?? .max) < (listed.firstIndex { $0.reason == other } ?? .max)
        }
    }
}
