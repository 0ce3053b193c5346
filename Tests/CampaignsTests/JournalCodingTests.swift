import MailTypes
import Testing

@testable import Campaigns

struct JournalCodingTests {
    private static let batch = BatchID(
        account: AccountID(rawValue: 7), campaign: CampaignID(rawValue: 8), number: 9)

    private static let entries: [JournalEntry] = [
        JournalEntry(index: 0, kind: .intent),
        JournalEntry(
            index: 0, kind: .outcome(.delivered), replyCode: 250, enhanced: EnhancedStatusCode("2.0.0"),
            text: "queued as Grüße"),
        JournalEntry(index: .max, kind: .deferred, replyCode: 451, text: "later", wasDeferred: true),
        JournalEntry(index: 300, kind: .inDoubtResend),
        JournalEntry(index: 301, kind: .withdrawn, wasDeferred: true),
        JournalEntry(index: 5, kind: .outcome(.inDoubt), text: "lost"),
        JournalEntry(index: 6, kind: .outcome(.bounced), replyCode: 550, text: "No such user", finding: .missing),
        JournalEntry(index: 7, kind: .outcome(.bounced), text: "no such domain", wasDeferred: true, finding: .dead),
        // Whatever the words say: it was decided when they came.
        JournalEntry(index: 8, kind: .outcome(.bounced), replyCode: 550, text: "No such user", finding: .nothing),
    ]

    @Test func `a group reads back as it was written`() throws {
        let group = JournalGroup(batch: Self.batch, epoch: 70_000, entries: Self.entries)
        #expect(try JournalGroup.entries(decoding: group.encoded(), epoch: 70_000) == Self.entries)
    }

    /// Octets as releases before the findings wrote them: version 1, epoch 3, one bounce with a reply.
    private static func old(_ text: String) -> [UInt8] {
        var writer = OctetWriter(reserving: 64)
        writer.octet(1)
        writer.number(UInt64(3))
        writer.index(9)
        writer.octet(0x01 | 0x10)
        writer.octet(UInt8(Outcome.bounced.rawValue))
        writer.reply(RecipientReply(code: 550, text: text))
        return writer.bytes
    }

    @Test func `of a bounce of an older release its words tell what was found`() throws {
        #expect(try JournalGroup.entries(decoding: Self.old("No such user"), epoch: 3).map(\.finding) == [.missing])
        #expect(try JournalGroup.entries(decoding: Self.old("Blocked"), epoch: 3).map(\.finding) == [.nothing])
        let gmx = "mailbox unavailable invalid DNS MX or A/AAAA resource record"
        #expect(try JournalGroup.entries(decoding: Self.old(gmx), epoch: 3).map(\.finding) == [.nothing])
        let progress = RecipientProgress.replay(try JournalGroup.entries(decoding: Self.old("No such user"), epoch: 3))
        guard case .finished(let result) = progress[9] else {
            Issue.record("not finished")
            return
        }
        #expect(result.finding == .missing)
    }

    @Test func `a group of another epoch does not read`() {
        let group = JournalGroup(batch: Self.batch, epoch: 3, entries: Self.entries)
        #expect(throws: CampaignError.self) { try JournalGroup.entries(decoding: group.encoded(), epoch: 4) }
    }

    @Test func `no cut of a group reads as the whole or crashes`() {
        let bytes = JournalGroup(batch: Self.batch, epoch: 3, entries: Self.entries).encoded()
        for count in 0..<bytes.count {
            let read = try? JournalGroup.entries(decoding: Array(bytes[..<count]), epoch: 3)
            #expect(read != Self.entries)
        }
    }

    @Test(arguments: Outcome.allCases.map(Optional.some) + [nil])
    func `results read back as they were written`(outcome: Outcome?) throws {
        let results = [
            RecipientResult(
                index: 12_345_678, outcome: outcome, code: 550, enhanced: EnhancedStatusCode("5.1.1"), text: "no such"),
            RecipientResult(index: 1, outcome: outcome),
        ]
        var doubted = results
        doubted[1].wasInDoubt = true
        #expect(try RecipientResult.decode(RecipientResult.encode(doubted)) == doubted)
        #expect(try RecipientResult.decode(RecipientResult.encode(results)) == results)
        #expect(throws: CampaignError.self) { try RecipientResult.decode(RecipientResult.encode(results) + [0]) }
    }

    @Test func `numbers read back over their whole range, and no larger ones`() throws {
        for value in [0, 1, 127, 128, 16_383, 16_384, UInt64(UInt32.max), UInt64.max - 1, .max] {
            var writer = OctetWriter()
            writer.number(value)
            var reader = OctetReader(writer.bytes)
            #expect(try reader.number(UInt64.self) == value)
            #expect(reader.isAtEnd)
        }
        var overlong = OctetReader(Array(repeating: 0xFF, count: 9) + [0x02])
        #expect(throws: CampaignError.self) { try overlong.number(UInt64.self) }
        var endless = OctetReader(Array(repeating: 0x80, count: 20))
        #expect(throws: CampaignError.self) { try endless.number(UInt64.self) }
    }

    @Test func `a long reply is cut between characters`() {
        let reply = RecipientReply(text: String(repeating: "ä", count: 150))
        #expect(reply.text == String(repeating: "ä", count: 100))
        #expect(RecipientReply(text: "x" + String(repeating: "ä", count: 150)).text.utf8.count == 199)
        #expect(RecipientReply(text: "short").text == "short")
    }

    @Test func `counters move by final outcomes, and deferred ones by their first and last entry`() {
        let change = CounterChange([
            JournalEntry(index: 1, kind: .intent),
            JournalEntry(index: 1, kind: .outcome(.delivered)),
            JournalEntry(index: 2, kind: .deferred),
            JournalEntry(index: 3, kind: .deferred, wasDeferred: true),
            JournalEntry(index: 4, kind: .outcome(.bounced), wasDeferred: true),
            JournalEntry(index: 5, kind: .outcome(.delivered), wasDeferred: true),
            JournalEntry(index: 6, kind: .inDoubtResend),
            JournalEntry(index: 7, kind: .withdrawn),
        ])
        #expect(change[.delivered] == 2)
        #expect(change[.bounced] == 1)
        #expect(change[.expired] == 0)
        #expect(change.deferred == -1)
        #expect(change.inDoubtResent == 1)
    }
}

struct RecipientProgressTests {
    private typealias Kind = JournalEntry.Kind

    private static func replay(_ kinds: [JournalEntry.Kind]) -> RecipientProgress? {
        RecipientProgress.replay(kinds.map { JournalEntry(index: 1, kind: $0, text: "\($0)") })[1]
    }

    @Test func `an intent without an answer is in doubt`() {
        #expect(Self.replay([.intent]) == .intended)
        #expect(Self.replay([.intent, .inDoubtResend, .intent]) == .intended)
        #expect(Self.replay([.deferred, .intent]) == .intended)
    }

    @Test func `an answered or withdrawn intent is not`() {
        #expect(Self.replay([.intent, .withdrawn]) == nil)
        #expect(Self.replay([.intent, .inDoubtResend]) == nil)
        #expect(Self.replay([]) == nil)
        #expect(
            Self.replay([.intent, .deferred])
                == .deferred(RecipientResult(index: 1, outcome: nil, text: "deferred")))
    }

    @Test func `an outcome stands whatever came before`() {
        let bounced = RecipientProgress.finished(
            RecipientResult(index: 1, outcome: .bounced, text: "\(Kind.outcome(.bounced))"))
        #expect(Self.replay([.intent, .outcome(.bounced)]) == bounced)
        #expect(Self.replay([.outcome(.bounced)]) == bounced)
    }

    @Test func `a doubt that was sent again stays known`() {
        var bounced = RecipientResult(index: 1, outcome: .bounced, text: "\(Kind.outcome(.bounced))")
        bounced.wasInDoubt = true
        #expect(Self.replay([.intent, .inDoubtResend, .intent, .outcome(.bounced)]) == .finished(bounced))
        var deferred = RecipientResult(index: 1, outcome: nil, text: "deferred")
        deferred.wasInDoubt = true
        #expect(Self.replay([.intent, .inDoubtResend, .deferred]) == .deferred(deferred))
    }
}
