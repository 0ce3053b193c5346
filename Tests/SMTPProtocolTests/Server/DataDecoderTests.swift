import NIOCore
import SMTPProtocol
import TestSupport
import Testing

@Suite struct DataDecoderTests {
    /// Tricks by which receivers were made to see an end of data that the sender did not (CVE-2023-51764, -51765,
    /// -51766 and kin).
    static let falseEnds = [
        "\n.\n", "\r.\r", "\n.\r\n", "\r.\r\n", "\r\n.\n", "\r\n.\r", "\r\n\r.\r\n", "\r\n.\r\r\n", "\r\n.\n\r\n",
        "\r\n\n.\r\n", "\n\r\n\r.\r", "\r\n.\0\r\n", "\r\n. \r\n", "\r\n.\u{B}\r\n", "\r\r\n.\r\r\n.\n", "\n\n.\n\n",
        "\r\n..\r\n",
        "\u{2028}.\u{2028}", "\u{85}.\u{85}", "x.\r\n",
    ]

    @Test(arguments: falseEnds) func `nothing but CRLF dot CRLF ends the data`(_ trick: String) {
        var dialog = ServerDialog()
        dialog.openData()
        dialog.send("Subject: x\r\n\r\nhello" + trick + "MAIL FROM:<evil@x.org>\r\nRCPT TO:<c@x.org>\r\nDATA\r\n")
        #expect(dialog.machine.isReceivingContent, "the data ended early")
        #expect(dialog.codes == [220, 250, 250, 250, 354])
        dialog.send("smuggled\r\n.\r\n")
        #expect(dialog.codes.count == 6)
        #expect(dialog.recipients == ["b@example.net"])
        #expect(!dialog.machine.isReceivingContent)
    }

    @Test(arguments: falseEnds) func `the same octet by octet`(_ trick: String) {
        var dialog = ServerDialog()
        dialog.openData()
        for byte in Array(("hello" + trick + "QUIT\r\n").utf8) { dialog.send([byte]) }
        #expect(dialog.machine.isReceivingContent)
        dialog.send("\r\n.\r\n")
        #expect(dialog.codes.count == 6)
        #expect(!dialog.machine.isClosed)
    }

    @Test(arguments: [
        ("a\rb\r\n.\r\n", SMTPContentFault.bareCarriageReturn), ("a\nb\r\n.\r\n", .bareLineFeed),
        ("\n\r\n.\r\n", .bareLineFeed), ("\r\r\n.\r\n", .bareCarriageReturn), (".\rx\r\n.\r\n", .bareCarriageReturn),
        (".\nx\r\n.\r\n", .bareLineFeed),
    ]) func `bare line ends are refused`(_ content: String, _ fault: SMTPContentFault) {
        for size in [1, 2, content.utf8.count] {
            var dialog = ServerDialog()
            dialog.openData()
            let bytes = Array(content.utf8)
            for start in stride(from: 0, to: bytes.count, by: size) {
                dialog.send(Array(bytes[start..<min(bytes.count, start + size)]))
            }
            #expect(dialog.faults == [fault])
            #expect(dialog.codes.last == 550)
        }
    }

    /// Found by fuzzing: which of them was told depended on the pieces.
    @Test(arguments: [
        (String(repeating: "x", count: 2_000) + "\ry\r\n.\r\n", SMTPContentFault.bareCarriageReturn),
        ("\r" + String(repeating: "x", count: 2_000) + "\r\n.\r\n", .bareCarriageReturn),
        (String(repeating: "x", count: 2_000) + "\ny\r\n.\r\n", .bareLineFeed),
        ("a\nb\rc\r\n.\r\n", .bareCarriageReturn),
        (
            String(repeating: String(repeating: "x", count: 998) + "\r\n", count: 11) + "\ry\r\n.\r\n",
            .bareCarriageReturn
        ),
    ]) func `of several faults the same is told, whatever the pieces`(_ content: String, _ fault: SMTPContentFault) {
        let bytes = Array(content.utf8)
        for size in [1, 2, 7, 100, bytes.count] {
            var dialog = ServerDialog()
            dialog.openData()
            for start in stride(from: 0, to: bytes.count, by: size) {
                dialog.send(Array(bytes[start..<min(bytes.count, start + size)]))
            }
            #expect(dialog.faults == [fault], "in pieces of \(size)")
        }
    }

    /// An honest client hears the refusal at the end of its data. One that comes to no end is sent away.
    @Test func `content that goes on far beyond its bound ends the session`() {
        var dialog = ServerDialog()
        dialog.openData()
        let line = String(repeating: "x", count: 998) + "\r\n"
        let block = Array(String(repeating: line, count: 1_000).utf8)
        for _ in 0..<67 { dialog.send(block) }
        #expect(dialog.machine.isReceivingContent)
        dialog.send(block)
        #expect(dialog.machine.isClosed)
        #expect(dialog.codes.last == 552)
    }

    @Test(arguments: [
        (".\r\n", ""), ("x\r\n.\r\n", "x\r\n"), ("..\r\n.\r\n", ".\r\n"), (".x\r\n.\r\n", "x\r\n"),
        ("...\r\n\r\n.\r\n", "..\r\n\r\n"), ("a.b\r\n.\r\n", "a.b\r\n"),
    ]) func `dots are unstuffed`(_ wire: String, _ content: String) {
        for size in 1...wire.utf8.count {
            let result = decode(Array(wire.utf8), pieces: [size])
            #expect(result?.content == content)
            #expect(result?.rest == 0)
        }
    }

    @Test func `what follows the end is left alone`() {
        let result = decode(Array("x\r\n.\r\nNOOP\r\n".utf8), pieces: [100])
        #expect(result?.rest == 6)
    }

    @Test func `only the header is kept when asked`() {
        for size in [1, 5, 100] {
            let wire = Array("A: b\r\n..c: d\r\n\r\nbody\r\n.\r\n".utf8)
            let result = decode(wire, pieces: [size], retaining: .header)
            #expect(result?.content == "A: b\r\n.c: d\r\n")
            #expect(result?.octets == 21)
        }
    }

    @Test func `nothing is kept when asked`() {
        let result = decode(Array("A: b\r\n\r\nbody\r\n.\r\n".utf8), pieces: [100], retaining: .nothing)
        #expect(result?.content == "")
        #expect(result?.octets == 14)
    }

    /// A second, slow decoder judges the fast one on random content made of the dangerous octets.
    @Test(arguments: Seed.range(40)) func `a slow model agrees`(_ seed: Seed) {
        var generator = SeededGenerator(seed)
        let alphabet: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0x2E, 0x2E, 0x61]
        for _ in 0..<250 {
            var wire: [UInt8] = []
            for _ in 0..<Int.random(in: 0...40, using: &generator) {
                if Bool.random(using: &generator) { wire += [0x0D, 0x0A] }
                wire.append(alphabet.randomElement(using: &generator) ?? 0x61)
            }
            wire += Array("\r\n.\r\n".utf8)
            let pieces = (0..<8).map { _ in Int.random(in: 1...9, using: &generator) }
            let model = model(wire)
            let result = decode(wire, pieces: pieces)
            #expect(result?.rest == model.rest, "\(wire)")
            #expect(result?.content == model.content, "\(wire)")
        }
    }

    @Test(arguments: [0, 1, 5, 14, 15, 16, 1_000], [1, 3, 7, 1_000])
    func `of a long mail its beginning is kept, and all of it is counted`(kept: Int, piece: Int) {
        let wire = Array("A: b\r\n\r\n..1\r\n2\r\n.\r\nQUIT\r\n".utf8)
        let content = "A: b\r\n\r\n.1\r\n2\r\n"
        let result = decode(wire, pieces: [piece], retaining: .beginning(kept))
        #expect(result?.content.map { Array($0.utf8) } == Array(content.utf8.prefix(kept)))
        #expect(result?.octets == content.utf8.count && result?.rest == 6)
    }

    private struct Decoded {
        /// Nil: refused.
        var content: String?
        var octets: Int
        /// Octets behind the end.
        var rest: Int
    }

    /// - Parameter pieces: sizes, used in turn.
    private func decode(
        _ wire: [UInt8], pieces: [Int], retaining retention: SMTPContentRetention = .whole
    ) -> Decoded? {
        var decoder = SMTPDataDecoder(retaining: retention, maximumOctets: 100_000)
        var start = 0
        var turn = 0
        while start < wire.count {
            let end = min(wire.count, start + pieces[turn % pieces.count])
            var buffer = ByteBuffer(bytes: wire[start..<end])
            if decoder.consume(&buffer) {
                let rest = buffer.readableBytes + wire.count - end
                let octets = decoder.octets
                guard decoder.fault == nil else { return Decoded(content: nil, octets: octets, rest: rest) }
                return Decoded(content: String(buffer: decoder.finish().content), octets: octets, rest: rest)
            }
            if buffer.readableBytes > 0 { return nil }
            start = end
            turn += 1
        }
        return nil
    }

    private func model(_ wire: [UInt8]) -> (content: String?, rest: Int) {
        var lines: [[UInt8]] = []
        var line: [UInt8] = []
        var index = 0
        while index < wire.count {
            if wire[index...].starts(with: [0x0D, 0x0A]) {
                index += 2
                if line == [0x2E] { break }
                lines.append(line)
                line = []
            } else {
                line.append(wire[index])
                index += 1
            }
        }
        let isFaulty = lines.contains { $0.contains(0x0D) || $0.contains(0x0A) }
        var content: [UInt8] = []
        for line in lines { content += line.dropFirst(line.first == 0x2E ? 1 : 0) + [0x0D, 0x0A] }
        return (isFaulty ? nil : String(decoding: content, as: UTF8.self), wire.count - index)
    }
}
