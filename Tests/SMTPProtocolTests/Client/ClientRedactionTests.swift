import MailTypes
import SMTPProtocol
import Testing

@Test
private func `descriptions name nobody and tell no secret`() {
    let credentials = SMTPCredentials(username: "someone", password: "hunter2")
    let texts = [
        "\(credentials)", "\(SMTPClientCommand.authPlain(Redacted("aHVudGVyMg==")))",
        "\(makeEnvelope(to: "ann@example.net"))", "\(SMTPReply(550, nil, "<ann@example.net> unknown"))",
        "\(SMTPClientCommand.rcpt(to: makeEnvelope().recipient))",
    ]
    for text in texts {
        #expect(!text.contains("ann") && !text.contains("hunter2") && !text.contains("someone"))
        #expect(!text.contains("aHVudGVyMg"))
    }
}
