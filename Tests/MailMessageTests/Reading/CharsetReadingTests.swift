import Testing

@testable import MailMessage

@Suite struct CharsetReadingTests {
    @Test(
        arguments: [
            ("iso-8859-1", [0xFC], "ü"), ("windows-1251", [0xEF, 0xF0], "пр"), ("iso-8859-15", [0xA4], "€"),
            ("koi8-r", [0xD0], "п"),
            ("iso-2022-jp", [0x1B, 0x24, 0x42, 0x47, 0x5B, 0x1B, 0x28, 0x42], "配"), ("shift_jis", [0x94, 0x7A], "配"),
            ("euc-jp", [0xC7, 0xDB], "配"), ("euc-kr", [0xB0, 0xA1], "가"), ("gb2312", [0xCD, 0xCB], "退"),
            ("big5", [0xB0, 0x68], "退"),
            ("utf-8", [0xC3, 0xBC], "ü"), ("utf-8", [0x61, 0xFC, 0x62], "a\u{FFFD}b"), ("utf-16le", [0x61, 0], "a"),
            ("shift_jis", [0x61, 0x94], "a?"), ("x-nobody-knows", [0xFC], "ü"), ("x-nobody-knows", [0xC3, 0xBC], "ü"),
            // Never handed to the C library: the field has no such mail, and attackers had.
            ("iso-2022-cn-ext", [0x1B, 0x24, 0x2A, 0x48, 0xFC], "\u{1B}$*Hü"),
        ] as [(String, [UInt8], String)])
    func `text of a charset becomes UTF-8`(label: String, octets: [UInt8], text: String) {
        #expect(String(decoding: ReceivedCharset.decode(octets, label: label), as: UTF8.self) == text)
    }

    @Test func a_long_text_goes_through_in_pieces() {
        let octets = [UInt8](repeating: 0xFC, count: 20_000)
        #expect(ReceivedCharset.decode(octets, label: "iso-8859-1").count == 40_000)
    }
}
