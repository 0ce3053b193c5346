import MailMessage
import MailTypes
import Testing

struct HeaderTests {
    @Test func `fields come in their order`() throws {
        var content = try Samples.content(
            subject: "S", html: "<p>x</p>", headers: [("X-One", "1"), ("List-Id", "<news.acme.example>")])
        content.replyTo = [try Mailbox.parse("Help <help@acme.example>")]
        let envelope = MessageEnvelopeFields(
            messageID: "1.2@acme.example", date: 0, listUnsubscribe: ["https://acme.example/u"], oneClick: true,
            feedbackID: "c:a:sluice", complaintAddress: "fbl@acme.example; report=arf", complaintID: "abc")
        let message = try Samples.render(content, Samples.recipient(name: "Jane"), envelope)
        #expect(
            message.fieldNames == [
                "From", "To", "Reply-To", "Subject", "Date", "Message-ID", "List-Unsubscribe", "List-Unsubscribe-Post",
                "Feedback-ID", "CFBL-Address", "CFBL-Feedback-ID", "X-One", "List-Id", "MIME-Version", "Content-Type",
            ])
        #expect(
            message.rawHeader.hasPrefix(
                """
                From: Acme <news@acme.example>\r
                To: Jane <jane@example.org>\r
                Reply-To: Help <help@acme.example>\r
                Subject: S\r
                Date: Thu, 1 Jan 1970 00:00:00 +0000\r
                Message-ID: <1.2@acme.example>\r
                List-Unsubscribe: <https://acme.example/u>\r
                List-Unsubscribe-Post: List-Unsubscribe=One-Click\r
                Feedback-ID: c:a:sluice\r
                CFBL-Address: fbl@acme.example; report=arf\r
                CFBL-Feedback-ID: abc\r
                X-One: 1\r
                List-Id: <news.acme.example>\r
                MIME-Version: 1.0\r
                Content-Type: multipart/alternative;\r\n
                """))
    }

    @Test func `a message of one part has its transfer encoding last`() throws {
        let message = try Samples.render(Samples.content())
        #expect(
            message.fieldNames == [
                "From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type",
                "Content-Transfer-Encoding",
            ])
    }

    /// Checked with `date -u -R`, which writes the day with two digits.
    @Test(arguments: [
        (0, "Thu, 1 Jan 1970 00:00:00 +0000"),
        (1_445_412_480, "Wed, 21 Oct 2015 07:28:00 +0000"),
        (951_782_399, "Mon, 28 Feb 2000 23:59:59 +0000"),
        (951_782_400, "Tue, 29 Feb 2000 00:00:00 +0000"),
        (951_868_800, "Wed, 1 Mar 2000 00:00:00 +0000"),
        (1_735_689_599, "Tue, 31 Dec 2024 23:59:59 +0000"),
        (4_107_542_400, "Mon, 1 Mar 2100 00:00:00 +0000"),
        (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 +0000"),
    ])
    func `dates are those of RFC 5322`(_ seconds: Int64, _ text: String) throws {
        let envelope = MessageEnvelopeFields(messageID: "1@acme.example", date: seconds)
        #expect(try Samples.render(Samples.content(), nil, envelope).header("Date") == text)
    }

    /// The model counts day by day for a whole cycle of the calendar; the leap days and some of the others are compared.
    @Test func `dates agree with a calendar that counts days`() throws {
        let compiled = try CompiledMessage(Samples.content())
        let recipient = try Samples.recipient()
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        let weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        var message = RenderedMessage()
        var (year, month, day) = (1970, 1, 1)
        for number in 0..<146_097 {
            if number % 97 == 0 || (month == 2 && day >= 28) || (month == 3 && day == 1) {
                let seconds = Int64(number) * 86_400 + 3_661
                try compiled.render(
                    recipient, MessageEnvelopeFields(messageID: "1@a.example", date: seconds), into: &message)
                let date = "\(weekdays[(number + 4) % 7]), \(day) \(months[month - 1]) \(year)"
                #expect(String(decoding: message.bytes, as: UTF8.self).contains("Date: \(date) 01:01:01 +0000\r\n"))
            }
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
            day += 1
            if day > [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1] {
                (day, month) = (1, month + 1)
            }
            if month > 12 { (month, year) = (1, year + 1) }
        }
    }

    @Test func `dates beyond four digits are refused`() throws {
        for seconds in [-1, 253_402_300_800, Int64.max, Int64.min] {
            #expect(throws: RenderError.invalidField(field: "Date")) {
                try Samples.render(
                    Samples.content(), nil, MessageEnvelopeFields(messageID: "1@acme.example", date: seconds))
            }
        }
    }

    @Test func `the unsubscribing fields follow RFC 2369 and RFC 8058`() throws {
        var envelope = Samples.envelope
        envelope.oneClick = true
        #expect(try Samples.render(Samples.content(), nil, envelope).root.has("List-Unsubscribe") == false)
        #expect(try Samples.render(Samples.content(), nil, envelope).root.has("List-Unsubscribe-Post") == false)

        envelope.listUnsubscribe = ["mailto:u@acme.example"]
        let mail = try Samples.render(Samples.content(), nil, envelope)
        #expect(try mail.root.header("List-Unsubscribe") == "<mailto:u@acme.example>")
        #expect(mail.root.has("List-Unsubscribe-Post") == false)

        envelope.listUnsubscribe = ["HTTPS://acme.example/u", "mailto:u@acme.example"]
        let both = try Samples.render(Samples.content(), nil, envelope)
        #expect(try both.root.header("List-Unsubscribe") == "<HTTPS://acme.example/u>, <mailto:u@acme.example>")
        #expect(try both.root.header("List-Unsubscribe-Post") == "List-Unsubscribe=One-Click")

        envelope.oneClick = false
        #expect(try Samples.render(Samples.content(), nil, envelope).root.has("List-Unsubscribe-Post") == false)
    }

    @Test func `a custom header is a template`() throws {
        let content = try Samples.content(headers: [("X-Customer", "{{id}} {{tier|basic}}"), ("X-Plain", "a  b")])
        let message = try Samples.render(content, Samples.recipient(["id": "<7>"]))
        #expect(try message.header("X-Customer") == "<7> basic")
        #expect(try message.header("X-Plain") == "a  b")
    }

    @Test func `a long word in a custom header stays whole for programs`() throws {
        let link = "https://acme.example/" + String(repeating: "a", count: 500)
        let message = try Samples.render(Samples.content(headers: [("X-Link", link)]))
        #expect(try message.root.header("X-Link") == link)
    }

    @Test(arguments: [
        "From", "to", "CC", "Bcc", "Subject", "Date", "Message-ID", "Sender", "Reply-To", "Return-Path", "Received",
        "DKIM-Signature", "MIME-Version", "Content-Type", "content-anything", "List-Unsubscribe",
        "List-Unsubscribe-Post", "Feedback-ID", "TLS-Required", "ARC-Seal", "Authentication-Results", "Resent-From",
        "Delivered-To", "Received-SPF", "CFBL-Address", "cfbl-feedback-id",
    ])
    func `reserved fields are refused`(_ name: String) throws {
        let error = #expect(throws: MessageError.self) {
            try CompiledMessage(Samples.content(headers: [(name, "x")]))
        }
        #expect(error?.code == .reservedHeader)
    }

    @Test(arguments: ["", " ", "X Y", "X:", "X-Ä", String(repeating: "X", count: 75)])
    func `names that are none are refused`(_ name: String) throws {
        let error = #expect(throws: MessageError.self) {
            try CompiledMessage(Samples.content(headers: [(name, "x")]))
        }
        #expect(error?.code == .invalidHeaderName)
    }

    @Test func `empty values leave a field without text`() throws {
        let message = try Samples.render(
            Samples.content(subject: "{{a}}", headers: [("X-Empty", "")]), Samples.recipient(["a": " "]))
        #expect(try message.header("Subject") == "")
        #expect(try message.header("X-Empty") == "")
        #expect(!message.rawHeader.contains(" \r\n"))
    }

    @Test func `internationalised local parts make the message need SMTPUTF8`() throws {
        let compiled = try CompiledMessage(Samples.content())
        var message = RenderedMessage()
        let recipient = MergeRecipient(address: try EmailAddress("jürgen@bücher.example"), name: "Jürgen")
        try compiled.render(recipient, Samples.envelope, into: &message)
        #expect(message.needsSMTPUTF8)
        #expect(try ReadMessage(message).root.header("To") == "=?utf-8?Q?J=C3=BCrgen?= <jürgen@xn--bcher-kva.example>")
        // The next copy is judged anew.
        try compiled.render(Samples.recipient(), Samples.envelope, into: &message)
        #expect(!message.needsSMTPUTF8)

        var content = try Samples.content()
        content.replyTo = [try Mailbox.parse("jürgen@acme.example")]
        #expect(try CompiledMessage(content).needsSMTPUTF8)
        #expect(try Samples.render(content).root.header("Reply-To") == "jürgen@acme.example")
    }
}
