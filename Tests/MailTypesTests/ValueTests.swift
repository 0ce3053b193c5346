import MailTypes
import Testing

@Suite struct ValueTests {
    private struct Holder { let token = Redacted("s3cret"), tokens = [Redacted("s3cret")] }

    @Test func `redacted values show nowhere`() {
        let holder = Holder()
        var dumped = ""
        dump(holder, to: &dumped)
        for text in [
            "\(holder)", "\(holder.token)", String(reflecting: holder), String(describing: holder.tokens), dumped,
        ] {
            #expect(!text.contains("s3cret"))
        }
        #expect(holder.token.exposed == "s3cret")
        #expect(Redacted(1) == Redacted(1))
        #expect(Redacted(1) != Redacted(2))
    }

    /// Stored in databases: a changed number would rewrite history.
    @Test(arguments: [
        (Outcome.delivered, Int16(1), "delivered"), (.bounced, 2, "bounced"), (.expired, 3, "expired"),
        (.suppressed, 4, "suppressed"),
        (.invalid, 5, "invalid"), (.cancelled, 6, "cancelled"), (.inDoubt, 7, "in_doubt"),
    ])
    func `outcomes keep their numbers and names`(outcome: Outcome, number: Int16, name: String) {
        #expect(outcome.rawValue == number)
        #expect(outcome.name == name)
        #expect(Outcome(name: name) == outcome)
    }

    @Test func `unknown outcome names are refused`() {
        #expect(Outcome(name: "inDoubt") == nil)
        #expect(Outcome.allCases.count == 7)
    }
}
