import TestSupport
import Testing

@testable import MailSigning

@Suite struct RelaxedCanonicalisationTests {
    private func body(_ text: String, chunk: Int = 64) throws -> String {
        var room = [UInt8](repeating: 0, count: chunk)
        var output: [UInt8] = []
        try RelaxedBody.canonicalise(Array(text.utf8).span, through: &room) { piece in
            for index in piece.indices { output.append(piece[index]) }
        }
        return String(decoding: output, as: UTF8.self)
    }

    private func header(_ text: String) -> String {
        let bytes = Array(text.utf8)
        var output: [UInt8] = []
        RelaxedHeader.append(bytes.span, 0..<bytes.count, colon: bytes.firstIndex(of: 0x3A)!, to: &output)
        return String(decoding: output, as: UTF8.self)
    }

    @Test func `the example of RFC 6376 section 345`() throws {
        #expect(header("A: X") == "a:X")
        #expect(header("B : Y\t\r\n\tZ  ") == "b:Y Z")
        #expect(try body(" C \r\nD \t E\r\n\r\n\r\n") == " C\r\nD E\r\n")
    }

    @Test(arguments: [
        ("Subject:", "subject:"), ("Subject: ", "subject:"), ("Subject: \t ", "subject:"), ("SUBJECT:x", "subject:x"),
        ("Subject: a  b", "subject:a b"), ("Subject: a\r\n b", "subject:a b"), ("Subject:\r\n a", "subject:a"),
        ("Subject: a\r\n \r\n b", "subject:a b"), ("Subject: a:b", "subject:a:b"), ("Subject: a\t\r\n", "subject:a"),
        ("X@Z[: A", "x@z[:A"), ("Subject \t: a", "subject:a"), ("Subject: Grüße", "subject:Grüße"),
    ])
    func `header fields`(text: String, expected: String) {
        #expect(header(text) == expected)
    }

    @Test(arguments: [
        ("", ""), ("\r\n", ""), ("\r\n\r\n\r\n", ""), (" ", ""), (" \t\r\n \r\n", ""), ("a", "a\r\n"),
        ("a\r\n", "a\r\n"),
        ("a \t", "a\r\n"), ("a\r\n\r\n", "a\r\n"), ("a\r\n \r\n\t", "a\r\n"), ("\r\na", "\r\na\r\n"), (" a", " a\r\n"),
        ("\t a", " a\r\n"), ("a\r\n b", "a\r\n b\r\n"), ("a \r\n\r\n b", "a\r\n\r\n b\r\n"),
        ("a\u{0B}\u{0C} b", "a\u{0B}\u{0C} b\r\n"),
        ("\u{0}", "\u{0}\r\n"),
    ])
    func `bodies`(text: String, expected: String) throws {
        #expect(try body(text) == expected)
    }

    @Test(arguments: ["a\nb", "\n", "a\rb", "a\r", "\r", "a\r\r\n", "a\r\n\n", "a\n\r\n"])
    func `stray line breaks are refused`(text: String) {
        #expect { try body(text) } throws: { ($0 as? DKIMError)?.code == .strayLineBreak }
    }

    /// The definition of RFC 6376 §3.4.4 word by word, line by line.
    private func model(_ text: String) -> String {
        var lines = text.split(separator: "\r\n", omittingEmptySubsequences: false).map { line in
            let words = line.split(omittingEmptySubsequences: false) { $0 == " " || $0 == "\t" }
            var reduced = ""
            for (index, word) in words.enumerated() {
                if index > 0, !reduced.hasSuffix(" ") { reduced += " " }
                reduced += word
            }
            while reduced.hasSuffix(" ") { reduced.removeLast() }
            return reduced
        }
        while lines.last == "" { lines.removeLast() }
        return lines.map { $0 + "\r\n" }.joined()
    }

    @Test(arguments: Seed.one(11)) func `random bodies agree with the model at any chunk size`(seed: Seed) throws {
        var generator = SeededGenerator(seed)
        let parts = ["a", "bc", "defghijklmnopqrstuvwxyz", " ", "  ", "\t", "\r\n", "\r\n\r\n", ".", "0123456789"]
        for _ in 0..<3_000 {
            let text = (0..<Int.random(in: 0...60, using: &generator)).map { _ in
                parts.randomElement(using: &generator)!
            }.joined()
            #expect(try body(text, chunk: Int.random(in: 64...130, using: &generator)) == model(text))
        }
    }
}
