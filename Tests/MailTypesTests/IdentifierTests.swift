import MailTypes
import TestSupport
import Testing

@Suite struct IdentifierTests {
    @Test(arguments: [
        (Int64(0), "cmp_0000000000000"), (1, "cmp_0000000000001"), (31, "cmp_000000000000z"), (32, "cmp_0000000000010"),
        (Int64.max, "cmp_7zzzzzzzzzzzz"),
    ])
    func `campaign numbers have one text`(number: Int64, text: String) {
        #expect(CampaignID(rawValue: number).description == text)
        #expect(CampaignID(text)?.rawValue == number)
    }

    @Test(arguments: [
        "", "cmp_", "0000000000001", "cmp_000000000001", "cmp_00000000000001", "CMP_0000000000001", "cmp_000000000000Z",
        "cmp_000000000000i", "cmp_000000000000l", "cmp_000000000000o", "cmp_000000000000u", "cmp_8000000000000",
        "cmp_zzzzzzzzzzzzz", "cmp_00000000000é", "cmp_000000000000 ", "abc_0000000000001",
    ])
    func `other texts are no campaign`(text: String) {
        #expect(CampaignID(text) == nil)
    }

    @Test(arguments: Seed.one(4)) func `campaign texts sort like their numbers`(seed: Seed) {
        var generator = SeededGenerator(seed)
        var times = (0..<500).map { _ in Int64.random(in: 1_577_836_800_000...4_000_000_000_000, using: &generator) }
        times.sort()
        let identifiers = times.map { CampaignID.make(millisecondsSince1970: $0, using: &generator) }
        for (earlier, later) in zip(identifiers, identifiers.dropFirst())
        where earlier.rawValue >> 21 != later.rawValue >> 21 {
            #expect(earlier < later)
            #expect(earlier.description < later.description)
        }
        for identifier in identifiers { #expect(CampaignID(identifier.description) == identifier) }
    }

    @Test(arguments: [Int64.min, -1, 0, 1_577_836_799_999])
    func `times before 2020 count as 2020`(milliseconds: Int64) {
        var generator = SeededGenerator(seed: 5)
        let identifier = CampaignID.make(millisecondsSince1970: milliseconds, using: &generator)
        #expect((0..<(1 << 21)).contains(identifier.rawValue))
    }

    @Test func `a negative number from outside can be described`() {
        #expect(CampaignID(rawValue: -1).description == "cmp_fzzzzzzzzzzzz")
        #expect(CampaignID("cmp_fzzzzzzzzzzzz") == nil)
    }

    @Test(arguments: [("1", Int64(1)), ("9223372036854775807", .max)])
    func `accounts are decimal numbers`(text: String, number: Int64) {
        #expect(AccountID(text)?.rawValue == number)
        #expect(AccountID(rawValue: number).description == text)
    }

    @Test(arguments: ["", "0", "-1", "+1", "01", "1 ", "1.0", "9223372036854775808", "one"])
    func `other texts are no account`(text: String) {
        #expect(AccountID(text) == nil)
    }

    @Test func `batches sort by account then campaign then number`() {
        func batch(_ account: Int64, _ campaign: Int64, _ number: Int32) -> BatchID {
            BatchID(account: AccountID(rawValue: account), campaign: CampaignID(rawValue: campaign), number: number)
        }
        let sorted = [batch(1, 1, 1), batch(1, 1, 2), batch(1, 2, 1), batch(2, 1, 1)]
        #expect(sorted.shuffled().sorted() == sorted)
        #expect(batch(7, 1, 3).description == "7/cmp_0000000000001/3")
    }
}
