import MailTypes
import TestSupport
import Testing
import TrafficShaping

@Suite struct RetryClassTests {
    @Test(
        arguments: [
            (0, nil, "", RetryClass.unreachable),
            (450, "4.2.0", "Recipient address rejected: Greylisted, see http://x.example/", .greylisting),
            (451, "4.7.1", "Service unavailable\n451-4.7.1 try\n451 4.7.1 again in 5 minutes", .greylisting),
            (452, "4.2.2", "", .mailboxFull),
            (452, nil, "Mailbox\n452-is full", .other),
            (452, nil, "452-Mailbox\n452 is full", .mailboxFull),
            (421, "4.7.0", "Too many connections from your host", .throttled),
            (421, "4.7.28", "", .throttled),
            (451, "4.4.1", "", .unreachable),
            (451, "4.3.0", "Temporary system problem", .other),
            (454, "4.7.0", "Too many login attempts, please try again later", .other),
        ] as [(Int, String?, String, RetryClass)])
    func `words decide before codes`(code: Int, enhanced: String?, text: String, expected: RetryClass) {
        let enhanced = enhanced.flatMap(EnhancedStatusCode.init(_:))
        #expect(RetryClass(code: code, enhanced: enhanced, text: text) == expected)
    }

    @Test func `replies of real receivers are understood`() throws {
        guard let corpus = ReplyCorpus() else { return }
        let rows = corpus.rows.filter { $0.isTemporary || $0.classes[0].hasPrefix("soft:") }
        try #require(rows.count > 60)
        var missed: [String] = []
        for row in rows {
            let found = RetryClass(code: row.code, enhanced: row.enhanced, text: row.text)
            if !row.classes.contains(where: { Self.expected($0).contains(found) }) {
                missed.append("\(found) for \(row.classes): \(row.text.prefix(100))")
            }
        }
        print("retry classes: \(rows.count - missed.count) of \(rows.count) replies")
        for line in missed { print("missed: \(line)") }
        #expect(missed.count * 20 <= rows.count)
    }

    private static func expected(_ corpusClass: String) -> Set<RetryClass> {
        switch corpusClass {
        case "soft:greylist": [.greylisting]
        case "soft:mailbox-full": [.mailboxFull]
        case "soft:rate-limited": [.throttled]
        // A poor standing is waited for as a limit is.
        case "block:reputation": [.other, .throttled]
        case "other": [.other, .unreachable]
        default: [.other]
        }
    }
}
