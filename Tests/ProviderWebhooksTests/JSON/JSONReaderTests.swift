import Testing

@testable import ProviderWebhooks

@Suite struct JSONReaderTests {
    @Test func `what RFC 8259 allows is read`() throws {
        let value = try JSONReader.read(
            Array(#" {"a": [1, -0.5e+3, true, false, null, "\u00e4\ud83d\ude00\n\/"], "b": {}, "c": []} "#.utf8))
        #expect(
            value
                == .object([
                    "a": .array([.number("1"), .number("-0.5e+3"), .bool(true), .bool(false), .null, .string("ä😀\n/")]),
                    "b": .object([:]), "c": .array([]),
                ]))
        #expect(value["a"].elements.first?.integer == 1)
        #expect(value["b"]["nothing"] == .null)
    }

    @Test(arguments: [
        "", " ", "{", "[", "[1,]", "{\"a\"}", "{\"a\":1,}", "{a:1}", "01", "1.", ".5", "+1", "1e", "tru", "nulll",
        "\"a", "\"\\x\"", "\"\\u12\"", "\"\u{1}\"", "[1] 2", "{\"a\":1}{", "'a'", "NaN", "-",
    ])
    func `anything else is refused`(_ text: String) {
        #expect(throws: JSONReader.Malformed.self) { try JSONReader.read(Array(text.utf8)) }
    }

    @Test func `what is no UTF-8 is refused`() {
        #expect(throws: JSONReader.Malformed.self) { try JSONReader.read([0x22, 0xFF, 0x22]) }
    }

    @Test func `long names are refused before they are hashed`() throws {
        _ = try JSONReader.read(Array("{\"\(String(repeating: "a", count: 512))\":1}".utf8))
        // Marks that belong in another order.
        for name in [String(repeating: "a", count: 513), String(repeating: "\u{301}\u{323}", count: 1 << 18)] {
            let body = Array("{\"".utf8) + Array(name.utf8) + Array("\":1}".utf8)
            #expect(throws: JSONReader.Malformed.self) { try JSONReader.read(body) }
        }
    }

    @Test func `words are compared octet by octet`() throws {
        // To Unicode the Kelvin sign is a K, and a letter with its mark is one letter.
        let value = try JSONReader.read(Array("{\"a\":\"\u{212A}\",\"b\":\"e\u{301}\"}".utf8))
        #expect(value["a"].text == "K" && value["a"].exact != "K" && value["a"].exact == "\u{212A}")
        #expect(value["b"].text == "\u{E9}" && value["b"].exact != "\u{E9}")
        #expect(Set([ExactText("K"), ExactText("\u{212A}")]).count == 2)
        #expect(SNSMessage.Kind(exactly: "Notification") == .notification)
        #expect(SNSMessage.Kind(exactly: "notification") == nil)
    }

    @Test(.timeLimit(.minutes(1))) func `a word of a million marks in the wrong order is told apart at once`() throws {
        let marks = String(repeating: "\u{301}\u{323}", count: 1 << 18)
        let value = try JSONReader.read(Array("{\"event\":\"bounce\(marks)\",\"a\":\"\(marks)\"}".utf8))
        #expect(value["event"].exact != "bounce")
        #expect(Set([value["a"].exact, value["event"].exact]).count == 2)
        #expect(!value["a"].isTrue)
    }

    @Test func `half of a pair alone does no harm`() throws {
        #expect(
            try JSONReader.read(Array(#""\ud800x\ud800\u0041\udc00""#.utf8)) == .string("\u{FFFD}x\u{FFFD}A\u{FFFD}"))
    }

    @Test func `nesting is bounded, whatever is nested`() throws {
        let deepest = ProviderLimits.jsonDepth
        let text = String(repeating: "[", count: deepest) + String(repeating: "]", count: deepest)
        _ = try JSONReader.read(Array(text.utf8))
        for text in [String(repeating: "[", count: deepest + 1), String(repeating: "{\"a\":", count: 500_000)] {
            #expect(throws: JSONReader.Malformed.self) { try JSONReader.read(Array(text.utf8)) }
        }
    }
}
