import MailTypes
import Testing

@Suite struct EnhancedStatusCodeTests {
    @Test(arguments: [
        ("5.1.1 no such user", "5.1.1"), ("2.0.0", "2.0.0"), ("4.7.999 later", "4.7.999"), ("5.1.1: unknown", "5.1.1"),
        ("5.1.1-unknown", "5.1.1"), ("5.1.1. Unknown", "5.1.1"), ("5.1.1.", "5.1.1"), ("5.1.1)", "5.1.1"),
        ("5.7.26 DMARC", "5.7.26"),
    ])
    func `a code at the start is read`(text: String, code: String) {
        #expect(EnhancedStatusCode(leading: Array(text.utf8))?.description == code)
    }

    @Test(arguments: [
        "", "5", "5.", "5.1", "5.1.", "5.1.x", ".1.1", "x5.1.1", " 5.1.1", "1.1.1", "3.0.0", "6.1.1", "0.0.0", "55.1.1",
        "5.1000.1",
        "5.1.1000", "5.1.1.1", "5.1.1.1 is listed", "5..1", "5,1,1", "١.١.١",
    ])
    func `other texts hold no code`(text: String) {
        #expect(EnhancedStatusCode(leading: Array(text.utf8)) == nil)
    }

    @Test(arguments: ["5.1.1 ", "5.1.1.", "5.01.1", "5.1.1 no such user"])
    func `the whole text must be the code`(text: String) {
        #expect(EnhancedStatusCode(text) == nil)
    }

    @Test func `parts are bounded`() {
        #expect(EnhancedStatusCode("5.1.1") == EnhancedStatusCode(statusClass: 5, subject: 1, detail: 1))
        #expect(EnhancedStatusCode(statusClass: 3, subject: 1, detail: 1) == nil)
        #expect(EnhancedStatusCode(statusClass: 5, subject: 1_000, detail: 1) == nil)
        #expect(EnhancedStatusCode(statusClass: 5, subject: 1, detail: 1_000) == nil)
    }
}
