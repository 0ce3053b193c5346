import SMTPProtocol
import Testing

private let conversations =
    ClientConversation.fixtures + openings + transactions + endings + extensionsAndLimits + replies + crossings
    + brokenExtensions + announcements

@Test(arguments: conversations)
private func `the client speaks as written`(conversation: ClientConversation) {
    #expect(conversation.play() == conversation.text)
}

@Test(arguments: conversations.filter { !$0.needsWholePackets })
private func `packets do not matter`(conversation: ClientConversation) {
    #expect(conversation.play(octetByOctet: true) == conversation.text)
}

private let credentials = SMTPCredentials(username: "user", password: "secret")
private let plaintextCredentials = SMTPCredentials(username: "user", password: "secret", allowsPlaintext: true)

private let openings: [ClientConversation] = [
    ClientConversation(
        "more input than the greeting", needsWholePackets: true,
        """
        S: 220 mx.example
        S: 250 mx.example
        = failed: temporary in greeting by connection protocolViolation
        """),
    ClientConversation(
        "bytes injected behind the answer to STARTTLS", needsWholePackets: true,
        """
        S: 220 mx.example
        C: EHLO client.example
        S: 250-mx.example
        S: 250 STARTTLS
        C: STARTTLS
        S: 220 go ahead
        S: 250-mx.example
        S: 250 AUTH PLAIN
        = failed: temporary in startTLS by connection inputBeforeTLS
        """),
    ClientConversation(
        "part of a line injected behind the answer to STARTTLS", needsWholePackets: true,
        """
        S: 220 mx.example
        C: EHLO client.example
        S: 250-mx.example
        S: 250 STARTTLS
        C: STARTTLS
        S: 220 go ahead
        S: 2…
        = failed: temporary in startTLS by connection inputBeforeTLS
        """),
    ClientConversation(
        "STARTTLS refused, and needed", tls: .required,
        """
        S: 220 mx.example
        C: EHLO client.example
        S: 250-mx.example
        S: 250 STARTTLS
        C: STARTTLS
        S: 454 4.7.0 not now
        = failed: temporary in startTLS by connection 454 4.7.0, quitting
        """),
    ClientConversation(
        "STARTTLS needed and not offered", tls: .required,
        """
        S: 220 mx.example
        C: EHLO client.example
        S: 250 mx.example
        = failed: temporary in startTLS by connection tlsNotOffered, quitting
        """),
    ClientConversation(
        "STARTTLS needed and HELO all there is", tls: .required,
        """
        S: 220 mx.example
        C: EHLO client.example
        S: 500 what?
        C: HELO client.example
        S: 250 mx.example
        = failed: temporary in startTLS by connection tlsNotOffered, quitting
        """),
    ClientConversation(
        "STARTTLS offered and not wanted", tls: .never,
        """
        S: 220 mx.example
        C: EHLO client.example
        S: 250-mx.example
        S: 250 STARTTLS
        = opened
        """),
    ClientConversation(
        "AUTH PLAIN inside TLS", credentials: credentials,
        """
        S: 220 mx.example
        C: EHLO client.example
        S: 250-mx.example
        S: 250 STARTTLS
        C: STARTTLS
        S: 220 go ahead
        = handshake
        > TLS
        C: EHLO client.example
        S: 250-mx.example
        S: 250 AUTH LOGIN PLAIN
        C: AUTH PLAIN AHVzZXIAc2VjcmV0
        S: 235 2.7.0 welcome
        = opened
        """),
    ClientConversation(
        "AUTH LOGIN", credentials: plaintextCredentials,
        """
        S: 220 mx.example
        C: EHLO client.example
        S: 250-mx.example
        S: 250 AUTH=LOGIN
        C: AUTH LOGIN
        S: 334 VXNlcm5hbWU6
        C: dXNlcg==
        S: 334 UGFzc3dvcmQ6
        C: c2VjcmV0
        S: 235 welcome
        = opened
        """),
    ClientConversation(
        "AUTH refused", credentials: plaintextCredentials,
        """
        S: 220 mx.example
        C: EHLO client.example
        S: 250-mx.example
        S: 250 AUTH PLAIN
        C: AUTH PLAIN AHVzZXIAc2VjcmV0
        S: 535 5.7.8 wrong
        = failed: temporary in auth by connection 535 5.7.8, quitting
        """),
    ClientConversation(
        "the user name refused", credentials: plaintextCredentials,
        """
        S: 220 mx.example
        C: EHLO client.example
        S: 250-mx.example
        S: 250 AUTH LOGIN
        C: AUTH LOGIN
        S: 334 VXNlcm5hbWU6
        C: dXNlcg==
        S: 535 5.7.8 wrong
        = failed: temporary in auth by connection 535 5.7.8, quitting
        """),
    ClientConversation(
        "a password never goes in plaintext", credentials: credentials,
        """
        S: 220 mx.example
        C: EHLO client.example
        S: 250-mx.example
        S: 250 AUTH PLAIN LOGIN
        = failed: temporary in auth by connection authOnPlaintext, quitting
        """),
    ClientConversation(
        "no mechanism that we have", credentials: plaintextCredentials,
        """
        S: 220 mx.example
        C: EHLO client.example
        S: 250-mx.example
        S: 250 AUTH CRAM-MD5
        = failed: temporary in auth by connection authNotOffered, quitting
        """),
]

private let pipelining = """
    S: 220 mx.example
    C: EHLO client.example
    S: 250-mx.example
    S: 250 PIPELINING
    = opened
    > deliver
    C: MAIL FROM:<b-1@bounce.example>
    C: RCPT TO:<ann@example.net>
    C: DATA

    """
private let oneByOne = """
    S: 220 mx.example
    C: EHLO client.example
    S: 250 mx.example
    = opened
    > deliver
    C: MAIL FROM:<b-1@bounce.example>

    """
private let afterDot =
    pipelining + """
        S: 250 ok
        S: 250 ok
        S: 354 go
        C: (content)

        """

private let transactions: [ClientConversation] = [
    ClientConversation(
        "two messages, pipelined",
        afterDot + """
            S: 250 2.0.0 queued
            = accepted in finalDot 250 2.0.0
            > deliver
            C: MAIL FROM:<b-1@bounce.example>
            C: RCPT TO:<ann@example.net>
            C: DATA
            S: 250 ok
            S: 250 ok
            S: 354 go
            C: (content)
            S: 250 ok
            = accepted in finalDot 250
            """),
    ClientConversation(
        "two messages, one command at a time",
        oneByOne + """
            S: 250 ok
            C: RCPT TO:<ann@example.net>
            S: 251 will forward
            C: DATA
            S: 354-go
            S: 354 on
            C: (content)
            S: 250 ok
            = accepted in finalDot 250
            > deliver
            C: MAIL FROM:<b-1@bounce.example>
            """),
    ClientConversation(
        "RCPT refused, DATA refused: RSET goes before the next",
        pipelining + """
            S: 250 ok
            S: 550 5.1.1 no such user
            S: 554 5.5.1 no valid recipients
            = permanent in rcpt by recipient 550 5.1.1
            > deliver
            C: RSET
            C: MAIL FROM:<b-1@bounce.example>
            C: RCPT TO:<ann@example.net>
            C: DATA
            S: 250 ok
            S: 250 ok
            S: 250 ok
            S: 354 go
            C: (content)
            S: 250 ok
            = accepted in finalDot 250
            > deliver
            C: MAIL FROM:<b-1@bounce.example>
            C: RCPT TO:<ann@example.net>
            C: DATA
            """),
    ClientConversation(
        "RCPT refused, DATA allowed: an empty message ends it",
        pipelining + """
            S: 250 ok
            S: 450 4.2.1 later
            S: 354 go
            C: .
            S: 554 5.5.1 no valid recipients
            = temporary in rcpt by recipient 450 4.2.1
            > deliver
            C: MAIL FROM:<b-1@bounce.example>
            C: RCPT TO:<ann@example.net>
            C: DATA
            """),
    ClientConversation(
        "an empty message that is accepted delivers nothing",
        pipelining + """
            S: 250 ok
            S: 550 5.1.1 no such user
            S: 354 go
            C: .
            S: 250 queued
            = permanent in rcpt by recipient 550 5.1.1
            """),
    ClientConversation(
        "an empty message leaves no doubt",
        pipelining + """
            S: 250 ok
            S: 550 5.1.1 no such user
            S: 354 go
            C: .
            > closed
            = permanent in rcpt by recipient 550 5.1.1, closing
            """),
    ClientConversation(
        "RCPT refused, one command at a time: RSET waits for its answer",
        oneByOne + """
            S: 250 ok
            C: RCPT TO:<ann@example.net>
            S: 550 5.1.1 no such user
            = permanent in rcpt by recipient 550 5.1.1
            > deliver
            C: RSET
            S: 250 ok
            C: MAIL FROM:<b-1@bounce.example>
            S: 250 ok
            C: RCPT TO:<ann@example.net>
            S: 250 ok
            C: DATA
            S: 451 4.3.0 not now
            = temporary in data by message 451 4.3.0
            > deliver
            C: RSET
            """),
    ClientConversation(
        "MAIL refused: nothing to reset",
        pipelining + """
            S: 550 5.7.1 not you
            S: 503 5.5.1 MAIL first
            S: 503 5.5.1 MAIL first
            = permanent in mail by connection 550 5.7.1
            > deliver
            C: MAIL FROM:<b-1@bounce.example>
            C: RCPT TO:<ann@example.net>
            C: DATA
            """),
    ClientConversation(
        "MAIL refused, one command at a time",
        oneByOne + """
            S: 451 4.7.1 later
            = temporary in mail by connection 451 4.7.1
            > deliver
            C: MAIL FROM:<b-1@bounce.example>
            """),
    ClientConversation(
        "MAIL refused for the size: the message is to blame",
        pipelining + """
            S: 552 too big
            S: 503 MAIL first
            S: 503 MAIL first
            = permanent in mail by message 552
            """),
    ClientConversation(
        "RCPT refused for the size: the message is to blame",
        pipelining + """
            S: 250 ok
            S: 552 5.3.4 too big
            S: 503 no recipient
            = permanent in rcpt by message 552 5.3.4
            """),
    ClientConversation(
        "RCPT refused for a full mailbox",
        pipelining + """
            S: 250 ok
            S: 552 5.2.2 mailbox full
            S: 503 no recipient
            = permanent in rcpt by recipient 552 5.2.2
            """),
    ClientConversation(
        "the message refused",
        afterDot + """
            S: 554 5.7.1 spam
            = permanent in finalDot by message 554 5.7.1
            > deliver
            C: MAIL FROM:<b-1@bounce.example>
            C: RCPT TO:<ann@example.net>
            C: DATA
            """),
    ClientConversation(
        "the message refused for now",
        afterDot + """
            S: 452 4.3.1 disk full
            = temporary in finalDot by message 452 4.3.1
            """),
    ClientConversation(
        "RSET refused",
        pipelining + """
            S: 250 ok
            S: 550 5.1.1 no such user
            S: 554 5.5.1 no valid recipients
            = permanent in rcpt by recipient 550 5.1.1
            > deliver
            C: RSET
            C: MAIL FROM:<b-1@bounce.example>
            C: RCPT TO:<ann@example.net>
            C: DATA
            S: 500 what?
            = temporary in mail by connection protocolViolation retry, closing
            """),
    ClientConversation(
        "DATA answered with 250",
        pipelining + """
            S: 250 ok
            S: 250 ok
            S: 250 ok
            = temporary in data by connection protocolViolation, closing
            """),
    ClientConversation(
        "MAIL answered with 354",
        pipelining + """
            S: 354 go
            = temporary in mail by connection protocolViolation, closing
            """),
    ClientConversation(
        "the final dot answered with 354",
        afterDot + """
            S: 354 go on
            = inDoubt in finalDot by connection protocolViolation, closing
            """),
    ClientConversation(
        "a reply too many behind 354", needsWholePackets: true,
        pipelining + """
            S: 250 ok
            S: 250 ok
            S: 354 go
            S: 250 queued
            = temporary in data by connection protocolViolation, closing
            """),
    ClientConversation(
        "a reply too many, one command at a time", needsWholePackets: true,
        oneByOne + """
            S: 250 ok
            S: 250 ok
            = temporary in rcpt by connection protocolViolation, closing
            """),
    ClientConversation(
        "a reply too many behind the last", needsWholePackets: true,
        afterDot + """
            S: 250 queued
            S: 250 queued
            = accepted in finalDot 250, closing
            """),
    ClientConversation(
        "a reply to nothing",
        afterDot + """
            S: 250 queued
            = accepted in finalDot 250
            S: 250 queued
            = close
            """),
    ClientConversation(
        "refused in the middle of the content", holdsContent: true,
        afterDot + """
            S: 552 5.3.4 too big
            = permanent in content by message 552 5.3.4, closing
            """),
    ClientConversation(
        "accepted in the middle of the content", holdsContent: true,
        afterDot + """
            S: 250 queued
            = temporary in content by connection protocolViolation, closing
            """),
]

private let endings: [ClientConversation] = [
    ClientConversation(
        "closed before the answer to MAIL",
        pipelining + """
            > closed
            = temporary in mail by connection connectionClosed, closing
            """),
    ClientConversation(
        "closed before the answer to RCPT",
        pipelining + """
            S: 250 ok
            > closed
            = temporary in rcpt by connection connectionClosed, closing
            """),
    ClientConversation(
        "closed after RCPT was refused",
        pipelining + """
            S: 250 ok
            S: 550 5.1.1 no such user
            > closed
            = permanent in rcpt by recipient 550 5.1.1, closing
            """),
    ClientConversation(
        "closed before the answer to DATA",
        pipelining + """
            S: 250 ok
            S: 250 ok
            S: 354…
            > closed
            = temporary in data by connection connectionClosed, closing
            """),
    ClientConversation(
        "closed in the content", holdsContent: true,
        afterDot + """
            > closed
            = temporary in content by connection connectionClosed, closing
            """),
    ClientConversation(
        "closed once the last octet was handed over", holdsContent: true,
        afterDot + """
            > handed over
            > closed
            = inDoubt in finalDot by connection connectionClosed, closing
            """),
    ClientConversation(
        "closed in the middle of the last answer",
        afterDot + """
            S: 250-2.0.0 queu
            S: 250 2.0.0 as…
            > closed
            = inDoubt in finalDot by connection connectionClosed, closing
            """),
    ClientConversation(
        "a last answer that is none",
        afterDot + """
            S: OK
            > timed out
            = inDoubt in finalDot by connection timedOut, closing
            """),
    ClientConversation(
        "no answer to RCPT in time",
        pipelining + """
            S: 250 ok
            > timed out
            = temporary in rcpt by connection timedOut suspecting PIPELINING, closing
            """),
    ClientConversation(
        "no last answer in time",
        afterDot + """
            > timed out
            = inDoubt in finalDot by connection timedOut, closing
            """),
    ClientConversation(
        "cancelled before the dot",
        pipelining + """
            S: 250 ok
            S: 250 ok
            > cancelled
            = temporary in data by connection cancelled, closing
            """),
    ClientConversation(
        "cancelled after the dot",
        afterDot + """
            > cancelled
            = inDoubt in finalDot by connection cancelled, closing
            """),
    ClientConversation(
        "421 in the middle of the pipeline",
        pipelining + """
            S: 250 ok
            S: 421 4.3.2 shutting down
            = temporary in rcpt by connection 421 4.3.2, closing
            > closed
            """),
    ClientConversation(
        "421 behind a refusal",
        pipelining + """
            S: 250 ok
            S: 550 5.1.1 no such user
            S: 421 4.3.2 shutting down
            = permanent in rcpt by recipient 550 5.1.1, closing
            """),
    ClientConversation(
        "421 to the final dot is a no",
        afterDot + """
            S: 421 4.3.2 shutting down
            = temporary in finalDot by connection 421 4.3.2, closing
            """),
    ClientConversation(
        "421 between two messages: another connection may be tried",
        afterDot + """
            S: 250 ok
            = accepted in finalDot 250
            S: 421 4.4.2 idle for too long
            = close
            > deliver
            = temporary in mail by connection connectionClosed retry
            """),
    ClientConversation(
        "closed before the first message: another connection is no better",
        """
        S: 220 mx.example
        C: EHLO client.example
        S: 250 mx.example
        = opened
        > closed
        = close
        > deliver
        = temporary in mail by connection connectionClosed
        """),
    ClientConversation(
        "closed between two messages: another connection may be tried",
        afterDot + """
            S: 250 ok
            = accepted in finalDot 250
            > deliver
            C: MAIL FROM:<b-1@bounce.example>
            C: RCPT TO:<ann@example.net>
            C: DATA
            > closed
            = temporary in mail by connection connectionClosed retry, closing
            """),
    ClientConversation(
        "once MAIL is answered, another connection is no better",
        afterDot + """
            S: 250 ok
            = accepted in finalDot 250
            > deliver
            C: MAIL FROM:<b-1@bounce.example>
            C: RCPT TO:<ann@example.net>
            C: DATA
            S: 250 ok
            > closed
            = temporary in rcpt by connection connectionClosed, closing
            """),
    ClientConversation(
        "QUIT unanswered",
        afterDot + """
            S: 250 ok
            = accepted in finalDot 250
            > quit
            C: QUIT
            > timed out
            = close
            """),
    ClientConversation(
        "QUIT in the middle of a message",
        pipelining + """
            > quit
            = temporary in mail by connection connectionClosed, closing
            """),
]

private func offering(_ keywords: String...) -> String {
    let lines = (["mx.example"] + keywords).enumerated().map { index, keyword in
        "S: 250\(index == keywords.count ? " " : "-")\(keyword)\n"
    }
    return "S: 220 mx.example\nC: EHLO client.example\n" + lines.joined() + "= opened\n> deliver\n"
}

private func encrypted(_ event: String, _ keyword: String) -> String {
    handshake(event, keyword) + "= opened\n> deliver\n"
}

private func handshake(_ event: String, _ keyword: String) -> String {
    """
    S: 220 mx.example
    C: EHLO client.example
    S: 250-mx.example
    S: 250-REQUIRETLS
    S: 250 STARTTLS
    C: STARTTLS
    S: 220 go ahead
    = handshake
    \(event)
    C: EHLO client.example
    S: 250-mx.example
    S: 250 \(keyword)

    """
}

private let extensionsAndLimits: [ClientConversation] = [
    ClientConversation(
        "the null reverse path", envelope: makeEnvelope(from: ""),
        offering("HELP") + "C: MAIL FROM:<>"),
    ClientConversation(
        "each parameter where it is offered", envelope: makeEnvelope(to: "änn@example.net", eightBit: true),
        offering("SIZE 1000", "8BITMIME", "smtputf8")
            + "C: MAIL FROM:<b-1@bounce.example> SIZE=1000 BODY=8BITMIME SMTPUTF8"),
    ClientConversation(
        "no parameter where none is needed", envelope: makeEnvelope(),
        offering("8BITMIME", "SMTPUTF8") + "C: MAIL FROM:<b-1@bounce.example>"),
    ClientConversation(
        "bigger than the server takes", envelope: makeEnvelope(size: 1_001),
        offering("SIZE 1000") + """
            = permanent in mail by message messageTooBig (5.3.4)
            > deliver
            = permanent in mail by message messageTooBig (5.3.4)
            """),
    ClientConversation(
        "any size", envelope: makeEnvelope(size: 1_001),
        offering("SIZE 0") + "C: MAIL FROM:<b-1@bounce.example> SIZE=1001"),
    ClientConversation(
        "SIZE without a number", envelope: makeEnvelope(size: 1_001),
        offering("SIZE") + "C: MAIL FROM:<b-1@bounce.example> SIZE=1001"),
    ClientConversation(
        "a recipient in UTF-8 and no SMTPUTF8", envelope: makeEnvelope(to: "änn@example.net"),
        offering("8BITMIME") + "= permanent in mail by message smtpUTF8NotOffered (5.6.7)"),
    ClientConversation(
        "headers in UTF-8 and no SMTPUTF8", envelope: makeEnvelope(utf8: true),
        offering("8BITMIME") + "= permanent in mail by message smtpUTF8NotOffered (5.6.7)"),
    ClientConversation(
        "a return path in UTF-8 and no SMTPUTF8", envelope: makeEnvelope(from: "bücher@bounce.example"),
        offering("8BITMIME") + "= permanent in mail by message smtpUTF8NotOffered (5.6.7)"),
    ClientConversation(
        "octets above 127 and no 8BITMIME", envelope: makeEnvelope(eightBit: true),
        offering("SIZE") + "= permanent in mail by message eightBitNotOffered (5.6.3)"),
    ClientConversation(
        "REQUIRETLS over a session that proved nothing", envelope: makeEnvelope(requiresTLS: true),
        encrypted("> TLS", "REQUIRETLS") + "= permanent in mail by message requireTLSNotOffered (5.7.30)"),
    ClientConversation(
        "REQUIRETLS offered before TLS only", envelope: makeEnvelope(requiresTLS: true),
        encrypted("> verified TLS", "SIZE") + "= permanent in mail by message requireTLSNotOffered (5.7.30)"),
    ClientConversation(
        "REQUIRETLS in plaintext", envelope: makeEnvelope(requiresTLS: true),
        offering("REQUIRETLS") + "= permanent in mail by message requireTLSNotOffered (5.7.30)"),
    ClientConversation(
        "REQUIRETLS over a verified session", envelope: makeEnvelope(requiresTLS: true),
        encrypted("> verified TLS", "REQUIRETLS") + "C: MAIL FROM:<b-1@bounce.example> REQUIRETLS"),
    ClientConversation(
        "REQUIRETLS offered and not needed", envelope: makeEnvelope(),
        encrypted("> verified TLS", "REQUIRETLS") + "C: MAIL FROM:<b-1@bounce.example>"),
    ClientConversation(
        "a session for REQUIRETLS", requiresTLS: true, envelope: makeEnvelope(requiresTLS: true),
        encrypted("> verified TLS", "REQUIRETLS") + "C: MAIL FROM:<b-1@bounce.example> REQUIRETLS"),
    ClientConversation(
        "a session for REQUIRETLS that does not offer it", requiresTLS: true,
        handshake("> verified TLS", "SIZE")
            + "= failed: permanent in ehlo by message requireTLSNotOffered (5.7.30), quitting"),
    ClientConversation(
        "a session for REQUIRETLS that proves nothing", requiresTLS: true,
        handshake("> TLS", "REQUIRETLS")
            + "= failed: permanent in ehlo by message requireTLSNotOffered (5.7.30), quitting"),
    ClientConversation(
        "a return path that would be a command", envelope: makeEnvelope(from: "a@b.example>\r\nRCPT TO:<c@d.example"),
        offering("SIZE") + "= permanent in mail by message unsafeReversePath (5.1.7)"),
    ClientConversation(
        "a return path that would be a parameter", envelope: makeEnvelope(from: "a@b.example> SIZE=1"),
        offering("SIZE") + "= permanent in mail by message unsafeReversePath (5.1.7)"),
]

// MARK: As the field replies

private let replies: [ClientConversation] = [
    ClientConversation(
        "blank lines and notes before every reply",
        """
        S:
        S: Welcome to the mail exchanger
        S: 220 mx.example
        C: EHLO client.example
        S: one moment
        S: 250-mx.example
        S:
        S: 250 PIPELINING
        = opened
        > deliver
        C: MAIL FROM:<b-1@bounce.example>
        C: RCPT TO:<ann@example.net>
        C: DATA
        S:
        S: 250 ok
        S: checking the recipient
        S: 250 ok
        S:
        S: 354 go
        C: (content)
        S:
        S: ** checked by filter **
        S: 250 2.0.0 queued
        = accepted in finalDot 250 2.0.0
        """),
    ClientConversation(
        "blank lines behind replies", needsWholePackets: true,
        """
        S: 220 mx.example
        S:
        C: EHLO client.example
        S: 250-mx.example
        S: 250 HELP
        S:
        = opened
        > deliver
        C: MAIL FROM:<b-1@bounce.example>
        S: 250 ok
        S: note
        C: RCPT TO:<ann@example.net>
        S: 250 ok
        S:
        C: DATA
        S: 354 go
        S:
        C: (content)
        S: 250 queued
        S:
        = accepted in finalDot 250
        > deliver
        C: MAIL FROM:<b-1@bounce.example>
        """),
    ClientConversation(
        "a blank line behind the answer to EHLO, and STARTTLS", needsWholePackets: true,
        """
        S: 220 mx.example
        C: EHLO client.example
        S: 250-mx.example
        S: 250 STARTTLS
        S:
        C: STARTTLS
        S: 220 go ahead
        = handshake
        """),
    ClientConversation(
        "a blank line while nothing is asked",
        afterDot + """
            S: 250 queued
            = accepted in finalDot 250
            S:
            > deliver
            C: MAIL FROM:<b-1@bounce.example>
            C: RCPT TO:<ann@example.net>
            C: DATA
            """),
    ClientConversation(
        "codes without a blank, with a tab, alone",
        """
        S: 220mx.example
        C: EHLO client.example
        S: 250-mx.example
        S: 250
        = opened
        > deliver
        C: MAIL FROM:<b-1@bounce.example>
        S: 250	ok
        C: RCPT TO:<ann@example.net>
        S: 250
        C: DATA
        S: 354
        C: (content)
        S: 250OK
        = accepted in finalDot 250
        """),
    ClientConversation(
        "codes that differ: the last line decides",
        afterDot + """
            S: 550-5.7.1 first
            S: 250 2.0.0 queued after all
            = accepted in finalDot 250 2.0.0
            """),
    ClientConversation(
        "two codes in a refusal",
        pipelining + """
            S: 250 ok
            S: 550-5.1.1 first
            S: 554 5.1.1 then another code
            S: 503 no recipient
            = permanent in rcpt by recipient 554 5.1.1
            """),
    ClientConversation(
        "a long last answer",
        afterDot + """
            S: 250 2.0.0 queued \(String(repeating: "x", count: 3_000))
            = accepted in finalDot 250 2.0.0
            """),
    ClientConversation(
        "notes without end",
        afterDot + """
            \(String(repeating: "S: note\n", count: 33))= inDoubt in finalDot by connection malformedReply, closing
            """),
    ClientConversation(
        "greeted with another positive code",
        """
        S: 250 mx.example
        C: EHLO client.example
        """),
    ClientConversation(
        "greeted with farewell",
        """
        S: 221 bye
        = failed: temporary in greeting by connection protocolViolation
        """),
    ClientConversation(
        "nothing is forgiven between STARTTLS and its answer",
        """
        S: 220 mx.example
        C: EHLO client.example
        S: 250-mx.example
        S: 250 STARTTLS
        C: STARTTLS
        S:
        = failed: temporary in startTLS by connection malformedReply
        """),
    ClientConversation(
        "an answer to STARTTLS that is almost one",
        """
        S: 220 mx.example
        C: EHLO client.example
        S: 250-mx.example
        S: 250 STARTTLS
        C: STARTTLS
        S: 220go
        = failed: temporary in startTLS by connection malformedReply
        """),
    ClientConversation(
        "a blank line behind the answer to STARTTLS", needsWholePackets: true,
        """
        S: 220 mx.example
        C: EHLO client.example
        S: 250-mx.example
        S: 250 STARTTLS
        C: STARTTLS
        S: 220 go ahead
        S:
        = failed: temporary in startTLS by connection inputBeforeTLS
        """),
]

// MARK: The end of a connection that crosses a command

private let second =
    afterDot + """
        S: 250 ok
        = accepted in finalDot 250
        > deliver
        C: MAIL FROM:<b-1@bounce.example>
        C: RCPT TO:<ann@example.net>
        C: DATA

        """

private let crossings: [ClientConversation] = [
    ClientConversation(
        "421 to the first command of a further mail",
        second + """
            S: 421 4.4.2 closing
            = temporary in mail by connection 421 4.4.2 retry, closing
            """),
    ClientConversation(
        "farewell to the first command of a further mail",
        second + """
            S: 221 bye
            = temporary in mail by connection connectionClosed retry, closing
            """),
    ClientConversation(
        "a time-out that another code tells",
        second + """
            S: 451 4.4.2 timeout
            = temporary in mail by connection 451 4.4.2 retry, closing
            """),
    ClientConversation(
        "an answer out of place to the first command of a further mail",
        second + """
            S: 354 go
            = temporary in mail by connection protocolViolation retry, closing
            """),
    ClientConversation(
        "421 to RSET",
        pipelining + """
            S: 250 ok
            S: 550 5.1.1 no such user
            S: 554 5.5.1 no valid recipients
            = permanent in rcpt by recipient 550 5.1.1
            > deliver
            C: RSET
            C: MAIL FROM:<b-1@bounce.example>
            C: RCPT TO:<ann@example.net>
            C: DATA
            S: 421 4.3.2 closing
            = temporary in mail by connection 421 4.3.2 retry, closing
            """),
    ClientConversation(
        "421 to the first mail of all is the server's word",
        pipelining + """
            S: 421 4.3.2 shutting down
            = temporary in mail by connection 421 4.3.2, closing
            """),
    ClientConversation(
        "421 once a further mail was looked at",
        second + """
            S: 250 ok
            S: 421 4.3.2 shutting down
            = temporary in rcpt by connection 421 4.3.2, closing
            """),
    ClientConversation(
        "a further mail refused for now",
        second + """
            S: 451 4.7.1 slow down
            S: 503 MAIL first
            S: 503 MAIL first
            = temporary in mail by connection 451 4.7.1
            """),
]

// MARK: What a server offers and does not bear

private let brokenExtensions: [ClientConversation] = [
    ClientConversation(
        "silence behind a group",
        pipelining + """
            > timed out
            = temporary in mail by connection timedOut suspecting PIPELINING, closing
            """),
    ClientConversation(
        "silence behind the first answer of a group",
        pipelining + """
            S: 250 ok
            > timed out
            = temporary in rcpt by connection timedOut suspecting PIPELINING, closing
            """),
    ClientConversation(
        "silence where groups were answered before",
        second + """
            S: 250 ok
            > timed out
            = temporary in rcpt by connection timedOut, closing
            """),
    ClientConversation(
        "silence, one command at a time",
        oneByOne + """
            > timed out
            = temporary in mail by connection timedOut, closing
            """),
    ClientConversation(
        "silence after the final dot",
        afterDot + """
            > timed out
            = inDoubt in finalDot by connection timedOut, closing
            """),
    ClientConversation(
        "PIPELINING offered and left out", without: [.pipelining],
        offering("PIPELINING") + "C: MAIL FROM:<b-1@bounce.example>"),
    ClientConversation(
        "SIZE offered and left out", without: [.size],
        offering("SIZE 10") + "C: MAIL FROM:<b-1@bounce.example>"),
    ClientConversation(
        "STARTTLS offered and left out", without: [.startTLS],
        offering("STARTTLS") + "C: MAIL FROM:<b-1@bounce.example>"),
    ClientConversation(
        "a group complained of",
        pipelining + """
            S: 250 ok
            S: 554 SMTP synchronization error
            = temporary in rcpt by connection 554 suspecting PIPELINING retry, closing
            """),
    ClientConversation(
        "SIZE not understood: the mail goes without",
        offering("SIZE 0") + """
            C: MAIL FROM:<b-1@bounce.example> SIZE=1000
            S: 555 5.5.4 unsupported option SIZE
            = temporary in mail by connection 555 5.5.4 suspecting SIZE retry
            > deliver
            C: MAIL FROM:<b-1@bounce.example>
            S: 501 syntax error
            = permanent in mail by connection 501
            """),
    ClientConversation(
        "a sender refused by its syntax",
        offering("SIZE 0") + """
            C: MAIL FROM:<b-1@bounce.example> SIZE=1000
            S: 501 5.1.7 bad sender
            = permanent in mail by connection 501 5.1.7
            """),
]

// MARK: Announced transactions

/// A session in which one mail was taken and another is on its way.
private let handedOver =
    second + """
        S: 250 ok
        S: 250 ok
        S: 354 go
        C: (content)
        """

private let announced = """
    \(handedOver)
    > announce
    C: MAIL FROM:<b-2@bounce.example>
    C: RCPT TO:<ben@example.net>
    C: DATA
    """

private let announcements: [ClientConversation] = [
    ClientConversation(
        "a group begins with the content before",
        """
        \(announced)
        S: 250 taken
        S: 250 ok
        S: 250 ok
        S: 354 go
        = accepted in finalDot 250
        > deliver the next
        C: (content)
        > announce
        C: MAIL FROM:<b-2@bounce.example>
        C: RCPT TO:<ben@example.net>
        C: DATA
        S: 250 taken
        = accepted in finalDot 250
        > deliver the next
        S: 250 ok
        S: 250 ok
        S: 354 go
        C: (content)
        S: 250 taken
        = accepted in finalDot 250
        > quit
        C: QUIT
        """),
    ClientConversation(
        "nothing is announced before a server has answered a group",
        pipelining + """
            > announce
            = not announced
            S: 250 ok
            S: 250 ok
            S: 354 go
            C: (content)
            > announce
            = not announced
            S: 250 taken
            = accepted in finalDot 250
            > announce
            = not announced
            """),
    ClientConversation(
        "nothing is announced before the whole content has gone", holdsContent: true,
        afterDot + """
            > handed over
            S: 250 taken
            = accepted in finalDot 250
            > deliver
            C: MAIL FROM:<b-1@bounce.example>
            C: RCPT TO:<ann@example.net>
            C: DATA
            S: 250 ok
            S: 250 ok
            S: 354 go
            C: (content)
            > announce
            = not announced
            > handed over
            > announce
            C: MAIL FROM:<b-2@bounce.example>
            C: RCPT TO:<ben@example.net>
            C: DATA
            > announce
            = not announced
            """),
    ClientConversation(
        "nothing is announced to a server that takes no groups",
        oneByOne + """
            S: 250 ok
            C: RCPT TO:<ann@example.net>
            S: 250 ok
            C: DATA
            S: 354 go
            C: (content)
            S: 250 taken
            = accepted in finalDot 250
            > deliver
            C: MAIL FROM:<b-1@bounce.example>
            S: 250 ok
            C: RCPT TO:<ann@example.net>
            S: 250 ok
            C: DATA
            S: 354 go
            C: (content)
            > announce
            = not announced
            """),
    ClientConversation(
        "what we refuse ourselves is not announced",
        """
        \(handedOver)
        > announce what is refused
        = not announced
        S: 250 taken
        = accepted in finalDot 250
        """),
    ClientConversation(
        "a refused content does not touch what was announced behind it",
        """
        \(announced)
        S: 550 5.7.1 no
        S: 250 ok
        S: 250 ok
        S: 354 go
        = permanent in finalDot by message 550 5.7.1
        > deliver the next
        C: (content)
        S: 250 taken
        = accepted in finalDot 250
        """),
    ClientConversation(
        "a refused recipient that was announced",
        """
        \(announced)
        S: 250 taken
        S: 250 ok
        S: 550 5.1.1 nobody
        S: 554 no recipients
        = accepted in finalDot 250
        > deliver the next
        = permanent in rcpt by recipient 550 5.1.1
        > deliver
        C: RSET
        C: MAIL FROM:<b-1@bounce.example>
        C: RCPT TO:<ann@example.net>
        C: DATA
        """),
    ClientConversation(
        "a refused recipient that was announced, and DATA agreed to",
        """
        \(announced)
        S: 250 taken
        S: 250 ok
        S: 550 5.1.1 nobody
        S: 354 go
        = accepted in finalDot 250
        > deliver the next
        C: .
        S: 554 no recipients
        = permanent in rcpt by recipient 550 5.1.1
        > deliver
        C: MAIL FROM:<b-1@bounce.example>
        C: RCPT TO:<ann@example.net>
        C: DATA
        """),
    ClientConversation(
        "a server that ends the session behind a content",
        """
        \(announced)
        S: 250 taken
        S: 421 4.4.2 enough
        = accepted in finalDot 250
        > deliver the next
        = temporary in mail by connection 421 4.4.2 retry, closing
        """),
    ClientConversation(
        "a connection that is closed behind a content",
        """
        \(announced)
        S: 250 taken
        S: 250 ok
        = accepted in finalDot 250
        > closed
        = close
        > deliver the next
        = temporary in mail by connection connectionClosed retry
        """),
    ClientConversation(
        "a connection that breaks with a transaction announced",
        """
        \(announced)
        > closed
        = inDoubt in finalDot by connection connectionClosed suspecting announcements, closing
        > deliver the next
        = temporary in mail by connection connectionClosed retry
        """),
    ClientConversation(
        "no answer to a content with a transaction announced",
        """
        \(announced)
        > timed out
        = inDoubt in finalDot by connection timedOut suspecting announcements, closing
        """),
    ClientConversation(
        "a cancelled content with a transaction announced",
        """
        \(announced)
        > cancelled
        = inDoubt in finalDot by connection cancelled, closing
        """),
    ClientConversation(
        "a complaint about a group that begins with a content",
        """
        \(announced)
        S: 554 5.5.0 SMTP synchronization error
        = temporary in finalDot by connection 554 5.5.0 suspecting PIPELINING retry, closing
        > deliver the next
        = temporary in mail by connection connectionClosed retry
        """),
    ClientConversation(
        "a complaint about what followed a content",
        """
        \(announced)
        S: 250 taken
        S: 503 5.5.0 improper pipelining
        S: 503 5.5.0 improper pipelining
        S: 503 5.5.0 improper pipelining
        = accepted in finalDot 250
        > deliver the next
        = temporary in mail by connection 503 5.5.0 suspecting PIPELINING retry, closing
        """),
    ClientConversation(
        "the same words about a content alone",
        """
        \(handedOver)
        S: 554 5.5.0 SMTP synchronization error
        = permanent in finalDot by message 554 5.5.0
        """),
    ClientConversation(
        "a server that passes over what follows a content",
        """
        \(announced)
        S: 250 taken
        = accepted in finalDot 250
        > deliver the next
        > timed out
        = temporary in mail by connection timedOut suspecting announcements, closing
        """),
    ClientConversation(
        "no content under another envelope than was announced",
        """
        \(announced)
        S: 250 taken
        S: 250 ok
        S: 250 ok
        S: 354 go
        = accepted in finalDot 250
        > deliver
        = temporary in mail by connection connectionClosed retry, closing
        """),
    ClientConversation(
        "more replies than were announced",
        """
        \(announced)
        S: 250 taken
        S: 250 ok
        S: 250 ok
        S: 354 go
        S: 250 what?
        = accepted in finalDot 250
        = close
        > deliver the next
        = temporary in mail by connection connectionClosed retry
        """),
    ClientConversation(
        "a farewell while content is awaited",
        """
        \(announced)
        S: 250 taken
        S: 250 ok
        S: 250 ok
        S: 354 go
        = accepted in finalDot 250
        > quit
        = close
        """),
]
