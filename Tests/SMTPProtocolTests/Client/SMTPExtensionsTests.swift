import SMTPProtocol
import Testing

@Test
private func `offers are read whatever their case and order`() {
    let reply = SMTPReply(
        250, nil,
        [
            "PIPELINING is my name", "pipelining", "Size 35882577", "8BITMIME", "ENHANCEDSTATUSCODES", "STARTTLS",
            "SMTPUTF8", "REQUIRETLS", "AUTH PLAIN XOAUTH2 LOGIN", "CHUNKING", "",
        ])
    let extensions = SMTPExtensions(ehlo: reply)
    var expected = SMTPExtensions()
    expected.pipelining = true
    expected.size = 35_882_577
    expected.eightBitMIME = true
    expected.enhancedStatusCodes = true
    expected.startTLS = true
    expected.smtpUTF8 = true
    expected.requireTLS = true
    expected.auth = [.plain, .login]
    #expect(extensions == expected)
    #expect(SMTPExtensions(ehlo: SMTPReply(250, nil, ["mx.example"] + extensions.keywords)) == expected)
}

@Test
private func `the first line offers nothing`() {
    #expect(SMTPExtensions(ehlo: SMTPReply(250, nil, "PIPELINING")) == SMTPExtensions())
}

@Test(arguments: [("SIZE", 0, nil), ("SIZE 0", 0, nil), ("SIZE x", 0, nil), ("SIZE -1", 0, nil), ("SIZE 10", 10, 10)])
private func `a size may be missing`(line: String, size: Int, maximum: Int?) {
    let extensions = SMTPExtensions(ehlo: SMTPReply(250, nil, ["mx.example", line]))
    #expect(extensions.size == size)
    #expect(extensions.maximumSize == maximum)
}
