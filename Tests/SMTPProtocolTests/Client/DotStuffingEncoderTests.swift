import NIOCore
import SMTPProtocol
import TestSupport
import Testing

private func stuff(_ pieces: [[UInt8]]) -> [UInt8] {
    var encoder = DotStuffingEncoder()
    var buffer = ByteBuffer()
    for piece in pieces { encoder.append(piece, into: &buffer) }
    encoder.finish(into: &buffer)
    return Array(buffer.readableBytesView)
}

@Test(arguments: [
    ("", ".\r\n"),
    ("a", "a\r\n.\r\n"),
    ("a\r\n", "a\r\n.\r\n"),
    ("\r\n", "\r\n.\r\n"),
    (".", "..\r\n.\r\n"),
    (".\r\n", "..\r\n.\r\n"),
    ("a\r\n.\r\nb\r\n", "a\r\n..\r\nb\r\n.\r\n"),
    ("a\r\n..\r\n", "a\r\n...\r\n.\r\n"),
    ("a.b\r\n.c\r\n", "a.b\r\n..c\r\n.\r\n"),
    // Line ends that some receivers take for the end mark.
    ("a\n.\nb", "a\r\n..\r\nb\r\n.\r\n"),
    ("a\r.\rb", "a\r\n..\r\nb\r\n.\r\n"),
    ("a\n.\r\nb", "a\r\n..\r\nb\r\n.\r\n"),
    ("a\r\n.\rb", "a\r\n..\r\nb\r\n.\r\n"),
    ("a\r\r\n.b", "a\r\n\r\n..b\r\n.\r\n"),
    ("a\r", "a\r\n.\r\n"),
    ("\n", "\r\n.\r\n"),
])
private func `content is stuffed`(content: String, wire: String) {
    #expect(String(decoding: stuff([Array(content.utf8)]), as: UTF8.self) == wire)
    #expect(String(decoding: stuff(content.utf8.map { [$0] }), as: UTF8.self) == wire)
}

/// Whatever the content and its pieces: one end mark, at the end; no CR or LF that stands alone; nothing lost.
@Test(arguments: Seed.range(1..<301))
private func `the end mark occurs once`(seed: Seed) {
    var random = SeededGenerator(seed)
    let alphabet = Array("\r\r\n\n..ab".utf8)
    let content = (0..<Int.random(in: 0...200, using: &random)).map { _ in
        alphabet.randomElement(using: &random) ?? 0
    }
    var pieces: [[UInt8]] = []
    var rest = content[...]
    while !rest.isEmpty {
        let piece = rest.prefix(Int.random(in: 1...40, using: &random))
        pieces.append(Array(piece))
        rest = rest.dropFirst(piece.count)
    }
    let wire = stuff(pieces)
    #expect(wire == stuff([content]))
    checkWire(wire, content)
}

private func checkWire(_ wire: [UInt8], _ content: [UInt8]) {
    // The CRLF of the command before counts.
    let text = Array("\r\n".utf8) + wire
    let mark = Array("\r\n.\r\n".utf8)
    let marks = text.indices.filter { text[$0...].starts(with: mark) }
    #expect(marks == [text.count - mark.count])
    for index in text.indices {
        if text[index] == 0x0D { #expect(index + 1 < text.count && text[index + 1] == 0x0A) }
        if text[index] == 0x0A { #expect(index > 0 && text[index - 1] == 0x0D) }
    }
    #expect(wire.count { $0 == 0x61 || $0 == 0x62 } == content.count { $0 == 0x61 || $0 == 0x62 })
}

/// Against the plainest encoder there is, for content whose lines end as they should.
@Test(arguments: Seed.range(1..<101))
private func `clean content only gains dots`(seed: Seed) {
    var random = SeededGenerator(seed)
    let words = [".", "..", "a.b", "", "text", ".text"]
    let lines = (0..<Int.random(in: 1...40, using: &random)).map { _ in words.randomElement(using: &random) ?? "" }
    let content = lines.map { $0 + "\r\n" }.joined()
    let expected = lines.map { ($0.hasPrefix(".") ? "." : "") + $0 + "\r\n" }.joined() + ".\r\n"
    #expect(String(decoding: stuff([Array(content.utf8)]), as: UTF8.self) == expected)
}
