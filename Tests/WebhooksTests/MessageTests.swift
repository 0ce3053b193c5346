import MailTypes
import TestSupport
import Testing
import Vault

@testable import Webhooks

struct MessageTests {
    private func row(_ number: Int64, _ count: Int, message: Int64? = nil, replay: Int32 = 0) -> WebhookMessage.Row {
        WebhookMessage.Row(
            number: number, first: 0, end: Int16(count), replay: replay, message: message, attempts: 0, createdAt: 0,
            facts: nil, names: nil)
    }

    @Test(arguments: Seed.range(200))
    func `messages hold every event once, in order, and none too many`(seed: Seed) throws {
        var generator = SeededGenerator(seed)
        let size = Int.random(in: 1...100, using: &generator)
        var number: Int64 = 0
        let rows = (0..<Int.random(in: 1...40, using: &generator)).map { _ in
            number += Int64.random(in: 1...9, using: &generator)
            return row(number, Int.random(in: 1...100, using: &generator))
        }
        let messages = WebhookMessage.compose(rows, size: size)
        func events(_ row: WebhookMessage.Row, to end: Int16) -> [String] {
            (row.first..<end).map { "\(row.number)/\($0)" }
        }
        let told = messages.map { message in
            message.rows.dropLast().flatMap { events($0, to: $0.end) }
                + events(message.rows[message.rows.count - 1], to: message.end)
        }
        #expect(told.flatMap(\.self) == rows.flatMap { events($0, to: $0.end) })
        #expect(told.allSatisfy { (1...size).contains($0.count) })
        let (account, endpoint) = (AccountID(rawValue: 1), WebhookID(rawValue: 2))
        #expect(Set(messages.map { $0.id(account, endpoint) }).count == messages.count)

        // What was put together stays together, whatever comes behind it.
        let stored = messages.flatMap { message in
            message.rows.map { row in
                var row = row
                row.message = message.number
                return row
            }
        }
        guard rows.allSatisfy({ $0.count <= size }) else { return }
        let more = stored + [row(number + 1, 1), row(number + 2, size)]
        let again = WebhookMessage.compose(more, size: size)
        #expect(
            again.prefix(messages.count).map { $0.id(account, endpoint) } == messages.map { $0.id(account, endpoint) })
    }

    @Test func `a replay is another message than the first telling`() {
        let (account, endpoint) = (AccountID(rawValue: 1), WebhookID(rawValue: 2))
        let first = WebhookMessage.compose([row(5, 3)], size: 100)[0].id(account, endpoint)
        let again = WebhookMessage.compose([row(5, 3, replay: 1)], size: 100)[0].id(account, endpoint)
        #expect(first != again)
        #expect(first == WebhookMessage.compose([row(5, 3, message: 5)], size: 100)[0].id(account, endpoint))
        #expect(first.count == 30 && first.hasPrefix("msg_"))
    }

    @Test(arguments: Seed.range(100))
    func `a pack comes back as it was written`(seed: Seed) throws {
        var generator = SeededGenerator(seed)
        let events = (0..<Int.random(in: 1...100, using: &generator)).map { number -> WebhookEvent in
            switch Int.random(in: 0...3, using: &generator) {
            case 0: .campaign(.campaignPaused, CampaignID(rawValue: 7), reason: "“\u{1}\"\\")
            case 1: .message(.messageBounced, index: nil, fingerprint: .init(high: .max, low: 0))
            default: .sample(number)
            }
        }
        let pack = WebhookPack(time: 1_700_000_000_123_456, events: events)
        #expect(try WebhookPack(facts: pack.facts, privateOctets: pack.privateOctets) == pack)
        let blind = try WebhookPack(facts: pack.facts, privateOctets: nil)
        #expect(blind.events.allSatisfy { $0.address == nil && $0.reply == nil })
        #expect(throws: WebhookError.self) {
            try WebhookPack(facts: Array(pack.facts.dropLast()), privateOctets: nil)
        }
    }

    @Test func `times are those of the calendar`() {
        #expect(SystemTime.text(0) == "1970-01-01T00:00:00.000Z")
        #expect(SystemTime.text(951_782_399_999_000) == "2000-02-28T23:59:59.999Z")
        #expect(SystemTime.text(951_782_400_000_000) == "2000-02-29T00:00:00.000Z")
        #expect(SystemTime.text(4_107_542_400_001_999) == "2100-03-01T00:00:00.001Z")
        #expect(SystemTime.text(1_798_761_599_500_000) == "2026-12-31T23:59:59.500Z")
    }

    @Test func `an address in a reply is masked`() {
        let event = WebhookEvent.message(
            .messageBounced, index: 1, fingerprint: .init(high: 0, low: 1), reply: "5.1.1 <ada@example.org>: unknown")
        #expect(event.reply == "5.1.1 <…@…>: unknown")
    }
}
