import SMTPProtocol
import Testing

@Suite struct ServerTransactionTests {
    static let script: [String] = [
        "EHLO client.example\r\n",
        "MAIL FROM:<a@example.org> SIZE=40\r\nRCPT TO:<b@example.net>\r\nRCPT TO:<gone@example.net>\r\nDATA\r\n",
        "Subject: one\r\n\r\n..dots\r\n...\r\nend\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<c@example.net>\r\nDATA\r\n",
        ".\r\nRSET\r\nQUIT\r\n",
    ]

    static let expected = [220, 250, 250, 250, 550, 354, 250, 250, 250, 354, 250, 250, 221]

    @Test func `a pipelined session`() {
        var dialog = ServerDialog()
        dialog.refusedRecipient = "gone"
        for group in Self.script { dialog.send(group) }
        #expect(dialog.codes == Self.expected)
        #expect(dialog.messages == ["Subject: one\r\n\r\n.dots\r\n..\r\nend\r\n", ""])
        #expect(dialog.machine.isClosed)
    }

    @Test(arguments: [1, 2, 3, 7]) func `the same in small pieces`(_ size: Int) {
        var dialog = ServerDialog()
        dialog.refusedRecipient = "gone"
        let bytes = Array(Self.script.joined().utf8)
        for start in stride(from: 0, to: bytes.count, by: size) {
            // A piece must not reach past EHLO or DATA: a client has to wait for their answers.
            var piece = bytes[start..<min(start + size, bytes.count)]
            while let end = boundaries(bytes).first(where: { piece.startIndex < $0 && $0 < piece.endIndex }) {
                dialog.send(Array(piece[..<end]))
                piece = piece[end...]
            }
            dialog.send(Array(piece))
        }
        #expect(dialog.codes == Self.expected)
        #expect(dialog.messages == ["Subject: one\r\n\r\n.dots\r\n..\r\nend\r\n", ""])
    }

    private func boundaries(_ bytes: [UInt8]) -> [Int] {
        var ends: [Int] = []
        var sum = 0
        for group in Self.script {
            sum += group.utf8.count
            ends.append(sum)
        }
        return ends
    }

    @Test func `content sent with DATA is never read as content nor as commands`() {
        var dialog = ServerDialog()
        dialog.send("EHLO x\r\n")
        dialog.send("MAIL FROM:<a@x.org>\r\nRCPT TO:<b@x.org>\r\nDATA\r\nSubject: x\r\n\r\n.\r\nQUIT\r\n")
        #expect(dialog.codes == [220, 250, 250, 250, 521])
        #expect(dialog.messages.isEmpty)
        #expect(dialog.machine.isClosed)
    }

    @Test func `commands sent with EHLO end the session`() {
        var dialog = ServerDialog()
        dialog.send("EHLO x\r\nMAIL FROM:<a@x.org>\r\n")
        #expect(dialog.codes == [220, 521])
    }

    @Test func `commands injected behind STARTTLS are dropped`() {
        var dialog = ServerDialog()
        dialog.send("EHLO x\r\n")
        dialog.send("MAIL FROM:<a@x.org>\r\nSTARTTLS\r\nRCPT TO:<evil@x.org>\r\nNOOP\r\n")
        #expect(dialog.codes == [220, 250, 250, 220])
        #expect(dialog.tlsStarts == 1)
        // Nor do they come to light once the session is secured.
        dialog.machine.tlsEstablished()
        dialog.send("EHLO x\r\n")
        #expect(dialog.codes == [220, 250, 250, 220, 250])
        #expect(dialog.recipients.isEmpty)
    }

    @Test func `after the handshake the session starts over`() {
        var dialog = ServerDialog()
        dialog.sendLines("EHLO x", "MAIL FROM:<a@x.org>", "RCPT TO:<b@x.org>", "STARTTLS")
        dialog.machine.tlsEstablished()
        dialog.sendLines("DATA", "MAIL FROM:<a@x.org>", "EHLO x", "STARTTLS")
        #expect(dialog.codes == [220, 250, 250, 250, 220, 503, 503, 250, 503])
        #expect(dialog.machine.isSecured)
        // The second answer to EHLO does not offer STARTTLS any more.
        #expect(dialog.text.components(of: "STARTTLS") == 1)
    }

    @Test func `a message over the bound is refused and the session goes on`() {
        var dialog = ServerDialog()
        dialog.openData()
        dialog.send(String(repeating: String(repeating: "x", count: 98) + "\r\n", count: 101) + ".\r\nNOOP\r\n")
        #expect(dialog.codes.suffix(2) == [552, 250])
        #expect(dialog.faults == [.messageTooLarge])
        #expect(dialog.messages.isEmpty)
    }

    @Test func `a message at the bound is taken`() {
        var dialog = ServerDialog()
        dialog.openData()
        dialog.send(String(repeating: String(repeating: "x", count: 98) + "\r\n", count: 100) + ".\r\n")
        #expect(dialog.codes.last == 250)
        #expect(dialog.messages.map(\.utf8.count) == [10_000])
    }

    @Test(arguments: [(998, 250), (999, 550)]) func `the length of a line of text is bounded`(
        _ length: Int, _ code: Int
    ) {
        // A stuffed dot does not count.
        for line in [String(repeating: "x", count: length), "." + "." + String(repeating: "x", count: length - 1)] {
            for size in [1, 600, 2_000] {
                var dialog = ServerDialog()
                dialog.openData()
                let bytes = Array((line + "\r\n.\r\n").utf8)
                for start in stride(from: 0, to: bytes.count, by: size) {
                    dialog.send(Array(bytes[start..<min(bytes.count, start + size)]))
                }
                #expect(dialog.codes.last == code)
            }
        }
    }

    @Test func `421 from the session closes it`() {
        var machine = SMTPServerStateMachine(ServerDialog.profile)
        #expect(machine.greet(refusal: SMTPReply(421, nil, "Later")) == .close(SMTPReply(421, nil, "Later")))
        #expect(machine.isClosed)
    }
}

extension String {
    fileprivate func components(of part: String) -> Int {
        var count = 0
        var rest = self[...]
        while let range = rest.firstRange(of: part) {
            count += 1
            rest = rest[range.upperBound...]
        }
        return count
    }
}
