import MailSigning
import MailTypes

/// Messages of the shapes that mail comes in, for signers and verifiers.
enum MessageShapes {
    static let complete =
        """
        From: Example Shop <news@example.org>
        Reply-To: help@example.org
        To: Jane Doe <jane@example.net>
        Cc: archive@example.org
        Subject: Your order 4711
        Date: Fri, 20 Nov 2026 12:00:00 +0000
        Message-ID: <4711.1@example.org>
        List-Unsubscribe: <https://example.org/u/1>, <mailto:u@example.org>
        List-Unsubscribe-Post: List-Unsubscribe=One-Click
        Feedback-ID: 1:2:3:shop
        CFBL-Address: fbl@example.org; report=arf
        CFBL-Feedback-ID: 4711
        X-Unsigned: whatever
        MIME-Version: 1.0
        Content-Type: text/plain; charset=utf-8
        Content-Transfer-Encoding: 8bit

        Dear Jane,

        your order 4711 is on its way.
        Grüße,
        the shop

        """

    static let all: [(name: String, text: String)] = [
        ("complete", complete),
        ("only a From", "From: a@example.org\n\nHello\n"),
        ("empty body", "From: a@example.org\nSubject: x\n\n"),
        ("body of one empty line", "From: a@example.org\n\n\n"),
        ("body of empty lines", "From: a@example.org\n\n\n\n\n\n"),
        ("body of blank lines", "From: a@example.org\n\n \n\t\n  \t \n"),
        ("trailing empty lines", "From: a@example.org\n\nHello\n\n\n\n"),
        ("trailing blank lines", "From: a@example.org\n\nHello\n \n\t\n"),
        ("leading empty lines", "From: a@example.org\n\n\n\nHello\n"),
        ("no line end at the end", "From: a@example.org\n\nHello"),
        ("blanks at the end", "From: a@example.org\n\nHello \t "),
        ("white space at line ends", "From: a@example.org\n\nHello  \n  there\t\t\n\tyou  all \n"),
        ("leading dots", "From: a@example.org\n\n.\n..\n.hidden\n"),
        (
            "folded fields",
            "From: A\n  <a@example.org>\nSubject: one\n two\n\tthree\n  four\nTo: b@example.net,\n c@example.net\n\nHi\n"
        ),
        (
            "white space in fields",
            "From:   A   <a@example.org>  \nSubject:one  two\t three\t\nTo : b@example.net\n\nHi\n"
        ),
        ("empty fields", "From: a@example.org\nSubject:\nTo: \nReply-To:  \n\nHi\n"),
        (
            "names in any case",
            "FROM: a@example.org\nsUBJECT: x\nmessage-id: <1@example.org>\nMIME-VERSION: 1.0\n\nHi\n"
        ),
        (
            "fields twice",
            "From: a@example.org\nTo: b@example.net\nCc: c@example.net\nTo: d@example.net\nCc: e@example.net\n\nHi\n"
        ),
        (
            "fields of other names",
            "X-A: 1\nReceived: from x\n by y\nFrom: a@example.org\nFromage: brie\nX-From: b@example.net\n\nHi\n"
        ),
        ("colons in values", "From: a@example.org\nSubject: a:b: c:\n\nFrom: not a field\n"),
        (
            "long body lines",
            "From: a@example.org\n\n" + String(repeating: "x", count: 20_000) + "\n"
                + String(repeating: "ab ", count: 9_000) + "\n"
        ),
        ("long field", "From: a@example.org\nSubject: " + String(repeating: "word ", count: 180) + "\n\nHi\n"),
        ("control characters", "From: a@example.org\n\na\u{1}b\u{7F}c\u{0B}d \u{0C} e\n"),
        ("UTF-8", "From: Jürgen <j@example.org>\nSubject: Grüße 🎉\n\n日本語 テキスト\n"),
        (
            "many lines",
            "From: a@example.org\n\n" + (0..<3_000).map { "line \($0)  end " }.joined(separator: "\n") + "\n"
        ),
        ("many empty lines", "From: a@example.org\n\na" + String(repeating: "\n", count: 40_000) + "b\n"),
    ]

    /// With CRLF line ends, and the place of the body.
    static func bytes(_ text: String) -> (message: [UInt8], bodyOffset: Int) {
        var message: [UInt8] = []
        for byte in text.utf8 {
            if byte == 0x0A { message.append(0x0D) }
            message.append(byte)
        }
        var bodyOffset = 0
        while message[bodyOffset...].prefix(4) != [0x0D, 0x0A, 0x0D, 0x0A] { bodyOffset += 1 }
        return (message, bodyOffset + 4)
    }
}

/// Keys made once for all tests, and a domain to sign for.
enum TestKeys {
    static let domain = try! DomainName("example.org")
    static let rsa = try! DKIMKey.generate(.rsaSHA256)
    static let ed25519 = try! DKIMKey.generate(.ed25519SHA256)
    static let records = [
        "rsa._domainkey.example.org": rsa.dnsRecord, "ed._domainkey.example.org": ed25519.dnsRecord,
    ]
    static let time: Int64 = 1_700_000_000

    static func signer() throws -> DKIMSigner {
        try DKIMSigner(domain: domain, keys: [("rsa", rsa), ("ed", ed25519)])
    }
}
