import Feedback
import Foundation
import MailTypes
import NIOHTTP1
import Postgres
import TestDatabases
import TestPeers
import TestStores
import Testing
import Vault

@testable import ProviderWebhooks

/// Amazon SNS with signatures that another program has made, and with certificates and confirmations over TLS.
@Suite struct SNSTests {
    private static let topic = "arn:aws:sns:eu-central-1:123456789012:ses-events"
    private static let host = "sns.eu-central-1.amazonaws.com"
    private static let certificatePath = "/SimpleNotificationService-0123456789abcdef.pem"

    typealias Message = [String: String]
    private struct Asked: Encodable {
        let messages: [Message]
        let days: Int
        var bits = 2_048
    }
    private struct Signed: Decodable {
        let certificate: String
        let messages: [Message]
    }

    private static func message(_ type: String, version: String, _ more: Message = [:]) -> Message {
        var message = [
            "Type": type, "MessageId": UUID().uuidString, "TopicArn": topic, "Message": "You have chosen to subscribe.",
            "Timestamp": Date(timeIntervalSince1970: Double(Desk.now)).formatted(.iso8601), "SignatureVersion": version,
            "SigningCertURL": "https://" + host + certificatePath,
        ]
        if type != "Notification" {
            message["Token"] = "2336412f37fb687f5d51e6e2425e9c"
            message["SubscribeURL"] =
                "https://\(host)/?Action=ConfirmSubscription&TopicArn=\(topic)&Token=2336412f37fb687f5d51e6e2425e9c"
        }
        return message.merging(more) { $1 }
    }

    private static func request(_ message: Message, headers: [(String, String)] = []) throws -> ProviderSpecimen.Request
    {
        let own: [(name: String, value: String)] = [
            ("Content-Type", "text/plain; charset=UTF-8"), ("x-amz-sns-message-type", message["Type"] ?? ""),
        ]
        return .init(
            headers: own + headers.map { (name: $0.0, value: $0.1) },
            body: Array(try JSONEncoder().encode(message)))
    }

    /// A desk whose source believes the topic, and messages signed by somebody whose certificate lies at Amazon's.
    private func with(
        _ messages: [Message], days: Int = 20, bits: Int = 2_048, certificateNames: [String]? = nil,
        _ body: (Desk, String, [Message], AmazonServer) async throws -> Void
    ) async throws {
        guard let python = Python(with: "cryptography") else { return }
        let signed = try python.call("sign_sns.py", Asked(messages: messages, days: days, bits: bits), as: Signed.self)
        let amazon = try await AmazonServer(
            hosts: [Self.host], certificateNames: certificateNames, .init(body: signed.certificate))
        try await Desk.with(https: amazon.https) { desk in
            let secret = try await desk.sources.add(
                .ses, name: "ses", material: SourceMaterial(topic: Self.topic)
            ).secret.text.exposed
            try await body(desk, secret, signed.messages, amazon)
        }
        try await amazon.server.close()
    }

    private static func bounce(_ token: String, type: String = "notificationType") -> String {
        """
        {"\(type)":"Bounce","bounce":{"bounceType":"Permanent","bounceSubType":"General","timestamp":"2026-11-30T00:00:00.000Z",\
        "bouncedRecipients":[{"emailAddress":"jane@example.org","status":"5.1.1","diagnosticCode":"smtp; 550 no such user"}]},\
        "mail":{"source":"b-\(token)@bounce.example.com","destination":["jane@example.org"],"messageId":"1"}}
        """
    }

    @Test(arguments: ["1", "2"], ["notificationType", "eventType"])
    func `both versions and both forms are believed and worked off`(_ version: String, _ form: String) async throws {
        guard let python = Python(with: "cryptography") else { return }
        try await Desk.with { desk in
            let token = try await desk.token("jane@example.org")
            let message = Self.message(
                "Notification", version: version, ["Message": Self.bounce(token, type: form), "Subject": "Amazon SES"])
            let signed = try python.call("sign_sns.py", Asked(messages: [message], days: 20), as: Signed.self)
            let amazon = try await AmazonServer(.init(body: signed.certificate))
            let desk = desk.reaching(amazon.https)
            let secret = try await desk.sources.add(
                .ses, name: "ses", material: SourceMaterial(topic: Self.topic)
            ).secret.text.exposed
            try await desk.expect(Self.request(signed.messages[0]), .ses, secret, answers: 200)
            try await desk.workOff()
            #expect(try await desk.facts() == ["hardBounce provider:ses userunknown"])
            #expect(try await desk.suppression(of: "jane@example.org") == .hardBounce)
            try await amazon.server.close()
        }
    }

    @Test func `a certificate is fetched once, however many ask`() async throws {
        let messages = (0..<20).map { _ in Self.message("Notification", version: "1") }
        try await with(messages) { desk, secret, signed, amazon in
            let statuses = try await withThrowingTaskGroup(of: Int?.self) { group in
                for message in signed {
                    group.addTask { try await desk.status(Self.request(message), .ses, secret) }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(statuses == Array(repeating: 200, count: 20))
            #expect(amazon.requests == [Self.host + Self.certificatePath])
        }
    }

    @Test func `a genuine signature for another topic is refused, and nothing is fetched`() async throws {
        let foreign = ["TopicArn": "arn:aws:sns:eu-central-1:999999999999:ses-events"]
        let messages = [
            Self.message("Notification", version: "2", foreign),
            Self.message("SubscriptionConfirmation", version: "2", foreign),
        ]
        try await with(messages) { desk, secret, signed, amazon in
            for message in signed { try await desk.expect(Self.request(message), .ses, secret, answers: 403) }
            #expect(amazon.requests.isEmpty)
            #expect(try await desk.payloads(waiting: true) == 0)
        }
    }

    @Test func `what was altered after it was signed is refused`() async throws {
        let message = Self.message("Notification", version: "2", ["Subject": "Amazon SES"])
        try await with([message]) { desk, secret, signed, _ in
            for field in ["Message", "MessageId", "Subject", "Timestamp"] {
                var altered = signed[0]
                altered[field] = (altered[field] ?? "") + (field == "Timestamp" ? "" : "x")
                if field == "Timestamp" { altered[field] = "2026-11-30T00:00:01Z" }
                try await desk.expect(Self.request(altered), .ses, secret, answers: 403)
            }
            var without = signed[0]
            without["Subject"] = nil
            try await desk.expect(Self.request(without), .ses, secret, answers: 403)
            // Version 2's signature is none of version 1.
            var weaker = signed[0]
            weaker["SignatureVersion"] = "1"
            try await desk.expect(Self.request(weaker), .ses, secret, answers: 403)
            try await desk.expect(Self.request(signed[0]), .ses, secret, answers: 200)
        }
    }

    @Test(arguments: [
        "https://sns.s3-eu-central-1.amazonaws.com\(certificatePath)",
        "https://sns.eu-west-1.amazonaws.com\(certificatePath)",
        "http://\(host)\(certificatePath)", "https://\(host).evil.example\(certificatePath)",
    ])
    func `a certificate from elsewhere is not asked for`(_ address: String) async throws {
        let message = Self.message("Notification", version: "2", ["SigningCertURL": address])
        try await with([message]) { desk, secret, signed, amazon in
            try await desk.expect(Self.request(signed[0]), .ses, secret, answers: 403)
            #expect(amazon.requests.isEmpty)
        }
    }

    @Test func `raw delivery is refused because nobody has signed it`() async throws {
        try await with([Self.message("Notification", version: "2")]) { desk, secret, signed, _ in
            let raw = ProviderSpecimen.Request(
                headers: [("x-amz-sns-rawdelivery", "true")], body: Array(Self.bounce("x").utf8))
            try await desk.expect(raw, .ses, secret, answers: 403)
            let disguised = ProviderSpecimen.Request(headers: [], body: raw.body)
            try await desk.expect(disguised, .ses, secret, answers: 403)
            try await desk.expect(
                Self.request(signed[0], headers: [("X-Amz-SNS-RawDelivery", "true")]), .ses, secret, answers: 403)
        }
    }

    @Test func `a subscription is confirmed by a request to Amazon alone`() async throws {
        let messages = [
            Self.message("SubscriptionConfirmation", version: "1"),
            Self.message("UnsubscribeConfirmation", version: "1"),
            Self.message(
                "SubscriptionConfirmation", version: "2",
                ["SubscribeURL": "https://169.254.169.254/?Action=ConfirmSubscription&TopicArn=\(Self.topic)&Token=1"]),
            Self.message(
                "SubscriptionConfirmation", version: "2",
                [
                    "SubscribeURL":
                        "https://sns.s3-eu-central-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=\(Self.topic)&Token=1"
                ]),
        ]
        try await with(messages) { desk, secret, signed, amazon in
            try await desk.expect(Self.request(signed[0]), .ses, secret, answers: 200)
            let confirmation =
                "\(Self.host)/?Action=ConfirmSubscription&TopicArn=\(Self.topic)&Token=2336412f37fb687f5d51e6e2425e9c"
            #expect(amazon.requests == [Self.host + Self.certificatePath, confirmation])
            try await desk.expect(Self.request(signed[1]), .ses, secret, answers: 200)
            for message in signed[2...] { try await desk.expect(Self.request(message), .ses, secret, answers: 403) }
            #expect(amazon.requests.count == 2)
            #expect(try await desk.payloads(waiting: true) == 0)
        }
    }

    @Test func `a host that is not who it says is not believed`() async throws {
        let message = Self.message("Notification", version: "2")
        try await with([message], certificateNames: ["sns.example.com"]) { desk, secret, signed, _ in
            try await desk.expect(Self.request(signed[0]), .ses, secret, answers: 503)
        }
    }

    @Test func `a redirect is not followed`() async throws {
        let amazon = try await AmazonServer(
            hosts: [Self.host], .init(status: .found, headers: [("Location", "https://\(Self.host)/other.pem")]))
        guard let python = Python(with: "cryptography") else { return }
        let signed = try python.call(
            "sign_sns.py", Asked(messages: [Self.message("Notification", version: "2")], days: 20), as: Signed.self)
        try await Desk.with(https: amazon.https) { desk in
            let secret = try await desk.sources.add(
                .ses, name: "ses", material: SourceMaterial(topic: Self.topic)
            ).secret.text.exposed
            for _ in 0..<3 { try await desk.expect(Self.request(signed.messages[0]), .ses, secret, answers: 503) }
            // What failed is left alone for a while.
            #expect(amazon.requests == [Self.host + Self.certificatePath])
        }
        try await amazon.server.close()
    }

    @Test func `a certificate that has run out, or has a short key, has signed nothing`() async throws {
        try await with([Self.message("Notification", version: "2")], days: -1) { desk, secret, signed, _ in
            try await desk.expect(Self.request(signed[0]), .ses, secret, answers: 403)
        }
        try await with([Self.message("Notification", version: "2")], bits: 1_024) { desk, secret, signed, _ in
            try await desk.expect(Self.request(signed[0]), .ses, secret, answers: 503)
        }
    }

    @Test func `an old message is refused`() async throws {
        try await with([Self.message("Notification", version: "2")]) { desk, secret, signed, _ in
            desk.clock.set(Desk.now + ProviderLimits.retriedSignatureSeconds + 10)
            try await desk.expect(Self.request(signed[0]), .ses, secret, answers: 403)
            desk.clock.set(Desk.now + ProviderLimits.retriedSignatureSeconds - 10)
            try await desk.expect(Self.request(signed[0]), .ses, secret, answers: 200)
        }
    }

    @Test func `what moto signs is believed`() async throws {
        guard let python = Python(with: "moto.sns, boto3") else { return }
        struct Asked: Encodable { let message, topic, region: String }
        struct Posted: Decodable { let certificate, topic, body: String }
        try await Desk.with { desk in
            let token = try await desk.token("jane@example.org")
            let posted = try python.call(
                "moto_sns.py", Asked(message: Self.bounce(token), topic: "ses-events", region: "eu-central-1"),
                as: Posted.self)
            let amazon = try await AmazonServer(.init(body: posted.certificate))
            let desk = desk.reaching(amazon.https)
            let secret = try await desk.sources.add(
                .ses, name: "ses", material: SourceMaterial(topic: posted.topic)
            ).secret.text.exposed
            let request = ProviderSpecimen.Request(headers: [], body: Array(posted.body.utf8))
            try await desk.expect(request, .ses, secret, answers: 200)
            try await desk.workOff()
            #expect(try await desk.facts() == ["hardBounce provider:ses userunknown"])
            try await amazon.server.close()
        }
    }
}
