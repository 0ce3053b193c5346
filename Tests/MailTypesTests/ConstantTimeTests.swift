import MailTypes
import Testing

struct ConstantTimeTests {
    @Test func `octets are compared to their end`() {
        func equal(_ one: [UInt8], _ other: [UInt8]) -> Bool { one.equalsInConstantTime(other) }
        #expect(equal([1, 2, 3], [1, 2, 3]))
        #expect(!equal([1, 2, 3], [1, 2, 4]) && !equal([9, 2, 3], [1, 2, 3]))
        #expect(!equal([1, 2], [1, 2, 3]) && equal([], []))
    }
}
