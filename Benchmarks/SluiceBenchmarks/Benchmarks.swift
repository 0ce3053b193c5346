import Benchmark
import Campaigns
import Feedback
import Foundation
import MailMessage
import MailSigning
import MailTypes
import NIOCore
import SMTPProtocol
import Vault

// The steps that every mail or recipient passes. Run with `make micro-bench`.

let benchmarks: @Sendable () -> Void = {
    Benchmark.defaultConfiguration = .init(
        metrics: [.wallClock, .cpuUser, .throughput, .instructions], warmupIterations: 10, maxDuration: .seconds(5))

    let sample = Sample()

    Benchmark("render 4 KB, 10 fields") { benchmark, mail in
        for _ in benchmark.scaledIterations {
            var rendered = RenderedMessage()
            try? mail.message.render(mail.recipient, mail.fields, into: &rendered)
            blackHole(rendered)
        }
    } setup: {
        sample
    }

    for algorithm in [DKIMKey.Algorithm.rsaSHA256, .ed25519SHA256] {
        Benchmark("sign 4 KB, \(algorithm.rawValue)") { benchmark, signing in
            for _ in benchmark.scaledIterations {
                blackHole(try? signing.signer.sign(signing.bytes, bodyOffset: signing.bodyOffset, at: 1_800_000_000))
            }
        } setup: {
            try sample.signing(algorithm)
        }
    }

    Benchmark("seal a batch of 1,000") { benchmark, batch in
        for _ in benchmark.scaledIterations { blackHole(try? batch.key.seal(batch.plain, as: batch.context)) }
    } setup: {
        try sample.batch()
    }

    Benchmark("open and decode a batch of 1,000") { benchmark, batch in
        for _ in benchmark.scaledIterations {
            guard let plain = try? batch.key.open(batch.sealed, as: batch.context) else { continue }
            blackHole(try? RecipientBatch(decoding: plain))
        }
    } setup: {
        try sample.batch()
    }

    Benchmark("parse a three-line reply") { benchmark in
        let reply = ByteBuffer(string: "250-mx.example.org\r\n250-PIPELINING\r\n250 2.0.0 queued as 4bX1234\r\n")
        benchmark.startMeasurement()
        for _ in benchmark.scaledIterations {
            var parser = SMTPReplyParser()
            parser.append(reply)
            blackHole(try? parser.next())
        }
    }

    Benchmark("import 1,000 NDJSON lines, 10 variables") { benchmark, lines in
        for _ in benchmark.scaledIterations {
            var parser = RecipientParser(format: .ndjson)
            parser.feed(lines)
            parser.end()
            while let event = try? parser.next(), event != .needsMore { blackHole(event) }
        }
    } setup: {
        sample.lines()
    }

    Benchmark("classify a delivery status") { benchmark in
        let mail = sample.deliveryStatus()
        benchmark.startMeasurement()
        for _ in benchmark.scaledIterations { blackHole(MailClassifier.classify(mail)) }
    }

    Benchmark("classify a notice in words") { benchmark in
        let mail = sample.notice()
        benchmark.startMeasurement()
        for _ in benchmark.scaledIterations { blackHole(MailClassifier.classify(mail)) }
    }

    Benchmark("classify a reply") { benchmark in
        let text =
            "5.7.1 Service unavailable; client host [192.0.2.1] blocked using list.example; see https://list.example"
        benchmark.startMeasurement()
        for _ in benchmark.scaledIterations {
            blackHole(ReplyClassifier.classify(code: 554, enhanced: nil, text: text))
        }
    }

    Benchmark("fingerprint an address") { benchmark, fingerprinter in
        for _ in benchmark.scaledIterations { blackHole(fingerprinter.fingerprint(sample.recipient.address)) }
    } setup: {
        Fingerprinter(key: Array(repeating: 7, count: 32))
    }
}

/// A 4 KB mail with ten merge fields, as the end-to-end benchmark sends it.
struct Sample: Sendable {
    let message: CompiledMessage
    let recipient: MergeRecipient
    let fields = MessageEnvelopeFields(
        messageID: "\(Self.token)@news.example.com", date: 1_800_000_000,
        listUnsubscribe: [
            "https://mail.example.com/u/\(Self.token)",
            "mailto:u-\(Self.token)@bounce.news.example.com?subject=unsubscribe",
        ], oneClick: true, feedbackID: "cmp_0000000000000:1:\(Self.token):sluice",
        complaintAddress: "fbl@bounce.news.example.com; report=arf", complaintID: Self.token)
    private static let token = String(repeating: "a", count: 61)

    init() {
        var html = "<html><body><h1>Hello {{name}}</h1>"
        for number in 0..<10 { html += "<p>{{field\(number)}}</p>" }
        while html.utf8.count < 3_000 { html += "<p>The reading room opens at nine and closes when all have left.</p>" }
        guard let from = try? EmailAddress("library@news.example.com"),
            let address = try? EmailAddress("Reader.Of.Books@mail.example.org"),
            let sender = try? Mailbox(name: "City Library", address: from),
            let compiled = try? CompiledMessage(
                MessageContent(from: sender, subject: "{{name}}, your points", html: html + "</body></html>"))
        else { fatalError("the sample is a valid message") }
        message = compiled
        recipient = MergeRecipient(
            address: address, name: "Ada",
            variables: MergeVariables(
                (0..<10).map { MergeVariables.Field(key: "field\($0)", value: .text("value \($0) of this reader")) }))
    }

    struct Signing: Sendable {
        let signer: DKIMSigner
        let bytes: [UInt8]
        let bodyOffset: Int
    }

    func signing(_ algorithm: DKIMKey.Algorithm) throws -> Signing {
        var rendered = RenderedMessage()
        try message.render(recipient, fields, into: &rendered)
        let signer = try DKIMSigner(
            domain: DomainName("news.example.com"), keys: [("s1", DKIMKey.generate(algorithm))])
        return Signing(signer: signer, bytes: rendered.bytes, bodyOffset: rendered.bodyOffset)
    }

    struct Batch: Sendable {
        let key: SealingKey
        let context: SealContext
        let plain: [UInt8]
        let sealed: [UInt8]
    }

    func batch() throws -> Batch {
        let records = (0..<1_000).map {
            RecipientRecord(
                index: Int32($0), address: recipient.address, name: recipient.name, variables: recipient.variables)
        }
        let key = SealingKey()
        let context = SealContext(
            BatchID(account: AccountID(rawValue: 1), campaign: CampaignID(rawValue: 2), number: 3), purpose: .recipients
        )
        let plain = RecipientBatch(records: records).encoded()
        return Batch(key: key, context: context, plain: plain, sealed: try key.seal(plain, as: context))
    }

    /// What comes back from a large receiver, with the mail of 4 KB.
    func deliveryStatus() -> [UInt8] {
        report(
            "This mail could not be delivered.",
            status: """
                Content-Type: message/delivery-status

                Reporting-MTA: dns; mx.example.net

                Final-Recipient: rfc822; reader@mail.example.org
                Action: failed
                Status: 5.1.1
                Diagnostic-Code: smtp; 550 5.1.1 <reader@mail.example.org> no such user here

                --b

                """)
    }

    /// The same in words alone.
    func notice() -> [UInt8] {
        report(
            "This mail could not be delivered:\n\n<reader@mail.example.org>:\n550 no such user here (#5.1.1)\n",
            status: "")
    }

    private func report(_ words: String, status: String) -> [UInt8] {
        var rendered = RenderedMessage()
        try? message.render(recipient, fields, into: &rendered)
        let head = """
            Return-Path: <>
            From: Mail Delivery System <MAILER-DAEMON@mx.example.net>
            To: b-token@bounce.example.com
            Subject: Undelivered Mail Returned to Sender
            Content-Type: multipart/report; report-type=delivery-status; boundary=b

            --b

            \(words)
            --b
            \(status)Content-Type: message/rfc822


            """
        return Array(head.utf8) + rendered.bytes + Array("\n--b--\n".utf8)
    }

    func lines() -> [UInt8] {
        var text = ""
        for index in 0..<1_000 {
            let variables = (0..<10).map { #""field\#($0)":"value \#($0) of \#(index)""# }.joined(separator: ",")
            text += #"{"email":"reader\#(index)@mail.example.org","name":"Ada","vars":{\#(variables)}}"# + "\n"
        }
        return Array(text.utf8)
    }
}
