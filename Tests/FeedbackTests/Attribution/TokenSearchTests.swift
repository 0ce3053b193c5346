import MailMessage
import TestSupport
import Testing
import Vault

@testable import Feedback

struct TokenSearchTests {
    private static let token = "abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrstuvwxyz234"
    private static let other = "bbcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrstuvwxyz234"

    private static func found(_ text: String) -> [String] {
        let octets = Array(text.utf8)
        var found: [String] = []
        TokenSearch.forEachToken(in: octets) { found.append(String(decoding: octets[$0], as: UTF8.self)) }
        return found
    }

    @Test(arguments: [
        "", "<b-%@bounce.shop.example>", "Message-ID: <%@shop.example>", "cmp_0:1:%:sluice",
        "https://mail.example/u/%", "https://safe.example/?url=https%3A%2F%2Fmail.example%2Fu%2F%&x=y",
        "SRS0=Ab1c=De=bounce.shop.example=b-%@forwarder.example", "prvs=12345678=b-%@bounce.shop.example",
        "mailto:u-%@bounce.shop.example?subject=unsubscribe",
    ])
    func `a token is found in whatever stands around it`(around: String) {
        let text =
            around.isEmpty
            ? Self.token
            : around.replacing("%@", with: Self.token + "@")
                .replacing(":%:", with: ":\(Self.token):").replacing("/u/%", with: "/u/" + Self.token)
                .replacing("2F%&", with: "2F\(Self.token)&")
        #expect(Self.found(text) == [Self.token])
        #expect(Self.found(text.uppercased()) == [Self.token.uppercased()])
    }

    @Test func `what is longer, shorter or of other letters is none`() {
        #expect(Self.found(Self.token + "a").isEmpty)
        #expect(Self.found(String(Self.token.dropLast())).isEmpty)
        #expect(Self.found(Self.token.dropLast() + "1").isEmpty)
        #expect(Self.found("\(Self.token) \(Self.other),\(Self.token)") == [Self.token, Self.other, Self.token])
        #expect(Self.found("%").isEmpty && Self.found("%\(Self.token)").isEmpty)
    }

    @Test func `fields that only the sender writes come before the rest, and each token once`() {
        let mail = """
            Content-Type: multipart/report; report-type=feedback-report; boundary=b

            --b

            \(Self.other)
            --b
            Content-Type: message/feedback-report

            Feedback-Type: abuse
            --b
            Content-Type: text/rfc822-headers

            List-Unsubscribe: <https://mail.example/u/\(Self.token)>
            X-Other: \(Self.other)
            Message-ID: <\(Self.token.uppercased())@shop.example>
            --b--
            """
        let candidates = TokenSearch(ReceivedMail(Array(mail.utf8))).candidates
        #expect(
            candidates == [
                .init(text: Self.token, place: .messageID), .init(text: Self.other, place: .text),
            ])
    }

    @Test func `a link in an encoded body is whole`() {
        let mail = """
            Content-Type: multipart/mixed; boundary=b

            --b
            Content-Type: message/rfc822

            Content-Type: text/plain
            Content-Transfer-Encoding: quoted-printable

            To leave: https://mail.example/u/\(Self.token.prefix(20))=
            \(Self.token.dropFirst(20))
            --b--
            """
        #expect(TokenSearch(ReceivedMail(Array(mail.utf8))).candidates == [.init(text: Self.token, place: .text)])
    }

    @Test func `no more than a few are looked up`() {
        var generator = SeededGenerator(seed: 4)
        let letters = Array("abcdefghijklmnopqrstuvwxyz234567")
        let many = (0..<1_000).map { _ in
            String((0..<RecipientToken.textCount).map { _ in letters.randomElement(using: &generator) ?? "a" })
        }
        let mail = ReceivedMail(Array("Subject: x\n\n\(many.joined(separator: "\n"))\n".utf8))
        #expect(TokenSearch(mail).candidates.count == TokenSearch.most)
    }
}
