import SMTPProtocol
import TestSupport
import Testing

@Suite struct ServerFuzzTests {
    static let words = [
        "EHLO x", "HELO x", "MAIL FROM:<a@x.org>", "MAIL FROM:<>", "RCPT TO:<b@x.org>", "DATA", "RSET", "NOOP", "QUIT",
        "STARTTLS", "VRFY", "HELP", ".", "..", "Subject: x", "", " SIZE=", "<", ">", "@", "\"", "\\", "\0", "\u{FC}",
    ]

    /// Whatever comes in: replies are well formed, at most one a line, and a closed session says nothing more.
    @Test(arguments: Seed.range(60)) func `random dialogs keep the rules`(_ seed: Seed) {
        var generator = SeededGenerator(seed)
        for _ in 0..<40 {
            var dialog = ServerDialog()
            var sent = 0
            for _ in 0..<Int.random(in: 1...40, using: &generator) {
                let piece = Self.piece(&generator)
                sent += piece.count { $0 == 0x0A }
                let wasClosed = dialog.machine.isClosed
                let before = dialog.text
                dialog.send(piece)
                if wasClosed { #expect(dialog.text == before) }
                if dialog.tlsStarts > 0, Bool.random(using: &generator) { dialog.machine.tlsEstablished() }
            }
            let lines = dialog.text.split(separator: "\r\n", omittingEmptySubsequences: false)
            #expect(lines.last == "")
            for line in lines.dropLast() {
                #expect((200...599).contains(Int(line.prefix(3)) ?? 0))
                #expect(!line.utf8.contains { $0 < 0x20 })
            }
            // The greeting, one for each line, and one when the session is closed inside a line.
            #expect(dialog.codes.count <= sent + 2)
        }
    }

    private static func piece(_ generator: inout SeededGenerator) -> [UInt8] {
        switch Int.random(in: 0..<10, using: &generator) {
        case 0:
            (0..<Int.random(in: 0...200, using: &generator)).map { _ in
                UInt8.random(in: .min ... .max, using: &generator)
            }
        case 1: [UInt8](repeating: 0x61, count: Int.random(in: 900...3_000, using: &generator))
        case 2: [[0x0D], [0x0A], [0x2E], [0x0D, 0x0A, 0x2E]].randomElement(using: &generator) ?? []
        default: Array(((words.randomElement(using: &generator) ?? "") + "\r\n").utf8)
        }
    }
}
