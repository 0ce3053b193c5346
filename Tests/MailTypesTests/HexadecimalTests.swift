import MailTypes
import Testing

struct HexadecimalTests {
    @Test func `every octet has two digits`() {
        #expect([UInt8]().hexadecimal == "")
        #expect([0x00, 0x09, 0x0A, 0x1F, 0xFF].hexadecimal == "00090a1fff")
        for octet in UInt8.min ... .max {
            let text = CollectionOfOne(octet).hexadecimal
            #expect(text.utf8.count == 2 && UInt8(text, radix: 16) == octet && text == text.lowercased())
        }
    }
}
