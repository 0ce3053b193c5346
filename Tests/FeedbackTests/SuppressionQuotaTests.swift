import Feedback
import MailTypes
import TestDatabases
import Testing
import Vault

@Suite struct SuppressionQuotaTests {
    @Test func `a customer lists so many addresses, and what recipients say is taken all the same`() async throws {
        let lists = try await Lists()
        let list = SuppressionList(records: lists.database.pool, vault: lists.vault, rows: 2)
        func add(_ addresses: [EmailAddress], _ account: AccountID) async throws -> Int {
            try await list.add(addresses, account: account, reason: .manual, origin: .customer)
        }
        try await lists.run { list, connection in
            try await list.add(
                [1, 2].map { NewSuppression(Fingerprint(high: 1, low: $0), .hardBounce) }, account: lists.first,
                origin: .reply, on: connection)
        }
        await #expect(throws: SuppressionError.tooMany) {
            try await add(Lists.addresses("a@example.org"), lists.first)
        }
        #expect(try await add(Lists.addresses("a@example.org"), lists.second) == 1)
        let fingerprint = try await lists.fingerprint("b@example.org", lists.first)
        let added = try await lists.run { _, connection in
            try await list.add(
                [NewSuppression(fingerprint, .unsubscribe)], account: lists.first, origin: .recipient, on: connection)
        }
        #expect(added == 1)
    }
}
