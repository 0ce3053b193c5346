import Testing

@testable import MailMessage

@Suite struct StructureReadingTests {
    private func leaves(_ text: String) -> [(type: String, text: String)] {
        ReceivedMail(Array(text.utf8)).root.leaves.map { ($0.mediaType, String(decoding: $0.text(), as: UTF8.self)) }
    }

    @Test func parts_are_told_apart() {
        let found = leaves(
            """
            Content-Type: multipart/mixed; boundary="a b"

            preamble
            --a b
            Content-Type: TEXT/Plain

            one
            --a b
            Content-Type: multipart/alternative; boundary=in

            --in

            two
            --in
            Content-Type: text/html

            <p>three &lt;kim@example.org&gt;<br>four
            --in--
            --a b--
            epilogue
            """)
        #expect(found.map(\.type) == ["text/plain", "text/plain", "text/html"])
        #expect(found.map(\.text) == ["one", "two", "\nthree <kim@example.org>\nfour"])
    }

    @Test(arguments: [
        // No closing delimiter
        "Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\n\ntwo",
        // Blanks behind a delimiter, and one that begins like it
        "Content-Type: multipart/mixed; boundary=b\n\n--b  \n\none\n--b\t\n\ntwo\n--b--",
        // The boundary of the header never comes
        "Content-Type: multipart/mixed; boundary=lost\n\n--other-one\n\none\n--other-one\n\ntwo\n--other-one--",
        // None is given
        "Content-Type: multipart/mixed\n\n--other-one\n\none\n--other-one\n\ntwo\n--other-one--",
        // In pieces (RFC 2231)
        "Content-Type: multipart/mixed; boundary*0=ot;\n boundary*1=her\n\n--other\n\none\n--other\n\ntwo\n--other--",
        // No Content-Type
        "Subject: x\n\n--other-one\nContent-Type: text/plain\n\none\n--other-one\nContent-Type: text/plain\n\ntwo\n--other-one--",
    ])
    func `a broken multipart is read`(text: String) {
        #expect(leaves(text).map(\.text) == ["one", "two"])
        #expect(leaves(text.replacing("\n", with: "\r\n")).map(\.text) == ["one", "two"])
    }

    @Test func a_longer_boundary_is_another() {
        let found = leaves("Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--bc\ntwo\n--b--")
        #expect(found.map(\.text) == ["one\n--bc\ntwo"])
    }

    @Test func a_message_inside_is_left_whole() throws {
        let mail = ReceivedMail(
            Array(
                "Content-Type: message/rfc822\n\nSubject: inside\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nx"
                    .utf8))
        #expect(mail.root.leaves.count == 1)
        #expect(mail.root.message.header.first("subject") == Array("inside".utf8))
        #expect(mail.root.message.root.leaves.map { $0.content() } == [Array("x".utf8)])
    }

    /// Lines inside 8 multiparts are looked at 8 times, and no oftener however long the mail is.
    @Test func looking_for_delimiters_costs_a_bounded_number_of_lines() {
        func lines(depth: Int, blankLines: Int) -> Int {
            var mail = ""
            for level in 0..<depth {
                mail += "Content-Type: multipart/mixed; boundary=b\(level)x\n\n--b\(level)x\n"
            }
            let octets = Array((mail + "\n" + String(repeating: "\n", count: blankLines)).utf8)
            var reader = PartReader(octets)
            _ = reader.part(in: octets.indices, depth: 0)
            return ReadingLimits.delimiterLines - reader.linesLeft
        }
        let flat = lines(depth: 1, blankLines: 100_000)
        #expect((100_000..<110_000).contains(flat))
        #expect(lines(depth: 1_000, blankLines: 100_000) <= flat * 9)
        #expect(lines(depth: 1_000, blankLines: 600_000) == ReadingLimits.delimiterLines)
    }

    @Test func depth_and_parts_are_bounded() {
        var deep = ""
        for level in 0..<1_000 { deep += "Content-Type: multipart/mixed; boundary=b\(level)x\n\n--b\(level)x\n" }
        #expect(ReceivedMail(Array(deep.utf8)).root.leaves.count == 1)
        let wide = "Content-Type: multipart/mixed; boundary=b\n\n" + String(repeating: "--b\n\nx\n", count: 5_000)
        #expect(ReceivedMail(Array(wide.utf8)).root.leaves.count < 500)
    }

    @Test(arguments: [
        ("base64", "YWJj\nZA==", "abcd"), ("BASE64", "YW Jj*ZA", "abcd"), ("base64", "YWI=YWI=", "ab"),
        ("base64", "", ""),
        ("quoted-printable", "a=3Db=\nc= \nd=zz=", "a=bcd=zz"), ("quoted-printable", "=C3=BC=\r\n.", "ü."),
        ("x-unknown", "a=3D", "a=3D"), ("7bit", "a", "a"),
    ])
    func `a transfer encoding is undone`(encoding: String, body: String, text: String) {
        #expect(leaves("Content-Transfer-Encoding: \(encoding)\n\n\(body)").map(\.text) == [text])
    }

    @Test func what_is_decoded_is_bounded() {
        let mail = ReceivedMail(
            Array(("Content-Transfer-Encoding: base64\n\n" + String(repeating: "YWJj", count: 1_000)).utf8))
        #expect((100..<104).contains(mail.root.content(limit: 100).count))
    }
}
