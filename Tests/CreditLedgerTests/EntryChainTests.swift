import MailTypes
import Postgres
import Testing

@testable import CreditLedger

@Suite struct EntryChainTests {
    @Test func fields_that_join_to_the_same_text_encode_differently() {
        func encoded(_ fields: [String?]) -> [UInt8] {
            var encoder = FieldEncoder()
            for field in fields { encoder.append(field) }
            return encoder.bytes
        }
        let lists: [[String?]] = [["ab", "c"], ["a", "bc"], ["abc"], ["abc", ""], ["abc", nil], [nil, "abc"], []]
        #expect(Set(lists.map(encoded)).count == lists.count)
        #expect(encoded(["ab"]) == [0, 0, 0, 2, 0x61, 0x62])
        #expect(encoded([nil]) == [255, 255, 255, 255])
        var number = FieldEncoder()
        number.append(-2 as Int64)
        #expect(number.bytes == [0, 0, 0, 8, 255, 255, 255, 255, 255, 255, 255, 254])
    }

    @Test func every_field_of_an_entry_and_the_entry_before_decide_the_chain_value() {
        let chain = EntryChain(key: [1, 2, 3])
        let base = Self.entry()
        let variants = [
            Self.entry(account: 2), Self.entry(number: 2), Self.entry(kind: .adjust), Self.entry(campaign: 5),
            Self.entry(batch: 6), Self.entry(amount: 11), Self.entry(postedBefore: 1), Self.entry(postedAfter: 11),
            Self.entry(heldBefore: 1), Self.entry(heldAfter: 1), Self.entry(key: nil), Self.entry(hash: [9]),
            Self.entry(digest: []), Self.entry(memo: "other"), Self.entry(at: 4), Self.entry(kind: .refund),
            Self.entry(kind: .refund, recipient: [1]), Self.entry(kind: .refund, recipient: [2]),
        ]
        let values = ([base] + variants).map { chain.value(of: $0, after: []) }
        #expect(Set(values).count == variants.count + 1)
        #expect(chain.value(of: base, after: [0]) != values[0])
        #expect(EntryChain(key: [1, 2, 4]).value(of: base, after: []) != values[0])
        #expect(values.allSatisfy { $0.count == 32 })
    }

    @Test func a_locked_account_adds_nothing_when_it_refuses() throws {
        let chain = EntryChain(key: [1])
        var account = LockedAccount(
            id: AccountID(rawValue: 1), posted: 10, held: 4, limit: 1, entryCount: 3, chainHead: [5],
            readAt: PostgresTimestamp(microseconds: 0))
        let before = account.chainHead
        #expect(throws: LedgerError.insufficientCredits(missing: 1, available: 7)) {
            try account.add(.reserve, amount: 8, heldBy: 8, chain: chain)
        }
        #expect(throws: LedgerError.overflow) { try account.add(.release, amount: 5, heldBy: -5, chain: chain) }
        #expect(throws: LedgerError.overflow) { try account.add(.grant, amount: .max, postedBy: .max, chain: chain) }
        #expect(account.newEntries.isEmpty && account.chainHead == before)
        let entry = try account.add(.reserve, amount: 7, heldBy: 7, chain: chain)
        #expect(entry.number == 4)
        #expect(entry.chain == account.chainHead)
        #expect(account.balance.available == 0)
    }

    private static func entry(
        account: Int64 = 1, number: Int64 = 1, kind: LedgerEntry.Kind = .grant, campaign: Int64? = nil,
        batch: Int32? = nil, amount: Int64 = 10, postedBefore: Int64 = 0, postedAfter: Int64 = 10,
        heldBefore: Int64 = 0, heldAfter: Int64 = 0, key: String? = "k", hash: [UInt8]? = [1], digest: [UInt8]? = nil,
        recipient: [UInt8]? = nil, memo: String = "m", at: Int64 = 3
    ) -> LedgerEntry {
        LedgerEntry(
            account: AccountID(rawValue: account), number: number, kind: kind,
            campaign: campaign.map(CampaignID.init(rawValue:)), batch: batch, amount: amount,
            postedBefore: postedBefore, postedAfter: postedAfter, heldBefore: heldBefore, heldAfter: heldAfter,
            idempotencyKey: key, requestHash: hash, digest: digest, recipient: recipient,
            memo: memo,
            createdAt: PostgresTimestamp(microseconds: at), chain: [])
    }
}
