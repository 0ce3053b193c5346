import Foundation
import MailMessage
import MailSigning
import MailTypes
import TestDatabases
import TestStores
import TestSupport
import Testing
import Vault

@testable import Campaigns
@testable import Delivery
@testable import Feedback

/// What reporters take out of a complaint before they send it. Microsoft sends the header alone since June 2026, without
/// the recipient; others hash the addresses or drop the text.
enum Redaction: String, CaseIterable {
    case recipient, returnPath, to, body, subject, all
}

/// A complaint is attributed by the mail itself, however much of it is gone, and when the campaign is long purged.
struct ComplaintAttributionTests {
    /// Mails of a real campaign, whose key is then destroyed.
    private struct Mails {
        let attributor: Attributor
        let runtime: CampaignRuntime
        let fixture: DeliveryFixture

        static func make(unsubscribing: UnsubscribePolicy = .server) async throws -> Mails {
            let fixture = try await DeliveryFixture.make()
            let content = MessageContent(
                from: try Mailbox(name: "Shop", address: EmailAddress("news@shop.example")),
                subject: "Offer for {{name}}", html: "<p>Hello</p><a href=\"{{unsubscribe_url}}\">leave</a>",
                listUnsubscribe: unsubscribing == .own ? ["https://shop.example/leave?who={{email}}"] : [],
                unsubscribing: unsubscribing)
            var generator = SystemRandomNumberGenerator()
            let campaign = CampaignID.make(
                millisecondsSince1970: Int64(Date().timeIntervalSince1970 * 1_000), using: &generator)
            let domain = try DomainName("shop.example")
            _ = try await fixture.vault.createCampaignKey(fixture.account, campaign)
            let runtime = try CampaignRuntime(
                account: fixture.account, campaign: campaign,
                sendable: SendableCampaign(
                    account: fixture.account, campaign: campaign, content: content, fromDomain: domain, inDoubt: .skip,
                    expirySeconds: 3_600),
                signer: DKIMSigner(domain: domain, keys: [(selector: "s1", key: .generate(.ed25519SHA256))]),
                keys: try await fixture.vault.accountKeys(fixture.account), publicURL: "https://mail.shop.example")
            // The purge.
            #expect(try await fixture.vault.destroyCampaignKey(fixture.account, campaign))
            return Mails(attributor: Attributor(vault: fixture.stores.newVault()), runtime: runtime, fixture: fixture)
        }

        /// As it lies in a mailbox, with whom it went to.
        func mail(to address: EmailAddress) async throws -> (content: String, recipient: RecipientToken, token: String)
        {
            let fingerprint = runtime.keys.fingerprinter.fingerprint(address)
            let token = runtime.token(of: fingerprint)
            let record = RecipientRecord(index: 1, attempt: 0, address: address, name: "Jane")
            let mail = try runtime.mail(
                for: record, token: token, at: 1_800_000_000, signedIn: SigningQueue(.libcrypto))
            let content =
                "Return-Path: <\(runtime.reversePath(token: token))>\r\nDelivered-To: \(address.text)\r\n"
                + String(decoding: try await mail.signature.fields() + mail.content, as: UTF8.self)
            let recipient = RecipientToken(
                account: fixture.account, campaign: runtime.campaign, fingerprint: fingerprint)
            return (content, recipient, token)
        }
    }

    @Test(arguments: Redaction.allCases)
    func `each of a thousand complaints is attributed, whatever was taken out of it`(redaction: Redaction) async throws
    {
        let mails = try await Mails.make()
        for seed in Seed.range(1_000) {
            var generator = SeededGenerator(seed)
            let address = try EmailAddress(
                "reader\(generator.next())@example\(Int.random(in: 0..<9, using: &generator)).org")
            let (content, recipient, _) = try await mails.mail(to: address)
            let complaint = ComplaintMail(content, about: address.text, redaction, &generator).octets
            #expect(MailClassifier.classify(complaint).kind == .complaint, "\(seed.testDescription)")
            let found = try await mails.attributor.attribute(ReceivedMail(complaint))
            #expect(found?.recipient == recipient, "\(seed.testDescription) \(redaction)")
        }
    }

    @Test func `any one of the places is enough alone`() async throws {
        let mails = try await Mails.make()
        let (content, recipient, _) = try await mails.mail(to: EmailAddress("jane@example.org"))
        let header = content.prefix(upTo: try #require(content.firstRange(of: "\r\n\r\n")).lowerBound)
            .replacing("\r\n ", with: " ").split(separator: "\r\n")
        let names = ["Return-Path", "Message-ID", "CFBL-Feedback-ID", "Feedback-ID", "List-Unsubscribe"]
        for name in names {
            let field = try #require(header.first { $0.hasPrefix(name + ":") }, "\(name)")
            let report = ComplaintMail.report(fields: ["Feedback-Type: abuse"], header: [String(field)], body: "")
            #expect(
                try await mails.attributor.attribute(ReceivedMail(Array(report.utf8)))?.recipient == recipient,
                "\(name)")
        }
        let sender = try #require(header.first { $0.hasPrefix("Return-Path: ") }).dropFirst(13)
        for field in ["Original-Mail-From: \(sender)", "Original-Mail-From: \(sender.uppercased())"] {
            let report = ComplaintMail.report(fields: ["Feedback-Type: abuse", field], header: [], body: "")
            #expect(
                try await mails.attributor.attribute(ReceivedMail(Array(report.utf8)))
                    == Attribution(recipient: recipient, place: .report))
        }
        let body = content.suffix(from: try #require(content.firstRange(of: "\r\n\r\n")).upperBound)
        let fields = header.filter { $0.hasPrefix("Content-") || $0.hasPrefix("MIME-") }.map { String($0) }
        let report = ComplaintMail.report(fields: ["Feedback-Type: abuse"], header: fields, body: String(body))
        #expect(try await mails.attributor.attribute(ReceivedMail(Array(report.utf8)))?.place == .text)
    }

    @Test func `a forged complaint suppresses nobody`() async throws {
        let mails = try await Mails.make()
        let intake = FeedbackIntake(
            records: mails.fixture.records.pool,
            followers: [SuppressionFollower(suppressions: mails.fixture.suppressions)])
        for seed in Seed.range(100) {
            var generator = SeededGenerator(seed)
            let address = try EmailAddress("victim\(seed)@example.org")
            let (content, _, token) = try await mails.mail(to: address)
            // All that a forger knows of a mail that it did not get: its form, and another recipient's token.
            var forged = Array(token.utf8)
            let index = Int.random(in: forged.indices, using: &generator)
            forged[index] = forged[index] == UInt8(ascii: "q") ? UInt8(ascii: "r") : UInt8(ascii: "q")
            // In the text a soft line break (RFC 2045 §6.7) may divide it.
            let other = content.replacing("=\r\n", with: "")
                .replacing(token, with: String(decoding: forged, as: UTF8.self))
            let complaint = ComplaintMail(other, about: address.text, nil, &generator).octets
            let found = try await mails.attributor.attribute(ReceivedMail(complaint))
            #expect(found == nil, "\(seed.testDescription)")
            if let found,
                let event = try await mails.attributor.event(
                    of: MailClassifier.classify(complaint), about: found.recipient)
            {
                try await intake.take([event])
            }
            #expect(try await !mails.fixture.suppressions.contains(address, account: mails.fixture.account))
        }
    }

    @Test func `who unsubscribes with the customer finds no link of ours, and its complaint is still attributed`()
        async throws
    {
        let mails = try await Mails.make(unsubscribing: .own)
        let (content, recipient, token) = try await mails.mail(to: EmailAddress("jane+a@example.org"))
        let header = content.prefix(upTo: try #require(content.firstRange(of: "\r\n\r\n")).lowerBound)
            .replacing("\r\n ", with: " ").split(separator: "\r\n")
        #expect(header.contains("List-Unsubscribe: <https://shop.example/leave?who=jane%2Ba%40example.org>"))
        #expect(header.contains("List-Unsubscribe-Post: List-Unsubscribe=One-Click"))
        #expect(!content.contains("/u/\(token)") && !content.contains("u-\(token)"))
        let signed = try #require(header.first { $0.hasPrefix("DKIM-Signature:") }).replacing(" ", with: "")
            .split(separator: ";").first { $0.hasPrefix("h=") }?.dropFirst(2).split(separator: ":")
        #expect(signed?.contains("List-Unsubscribe") == true && signed?.contains("List-Unsubscribe-Post") == true)
        for redaction in Redaction.allCases {
            var generator = SeededGenerator(seed: 1)
            let complaint = ComplaintMail(content, about: "jane+a@example.org", redaction, &generator).octets
            #expect(
                try await mails.attributor.attribute(ReceivedMail(complaint))?.recipient == recipient, "\(redaction)")
        }
    }

    @Test func `the fields of feedback loops are signed, and Feedback-ID has four parts`() async throws {
        let mails = try await Mails.make()
        let (content, _, token) = try await mails.mail(to: EmailAddress("jane@example.org"))
        let header = content.prefix(upTo: try #require(content.firstRange(of: "\r\n\r\n")).lowerBound)
            .replacing("\r\n ", with: " ").split(separator: "\r\n")
        func value(_ name: String) -> Substring? {
            header.first { $0.hasPrefix(name + ": ") }?.dropFirst(name.count + 2)
        }
        #expect(value("CFBL-Address") == "fbl@bounce.shop.example; report=arf")
        #expect(value("CFBL-Feedback-ID") ?? "" == token)
        #expect(value("Message-ID") ?? "" == "<\(token)@shop.example>")
        #expect(
            value("List-Unsubscribe") ?? "" == "<https://mail.shop.example/u/\(token)>, "
                + "<mailto:u-\(token)@bounce.shop.example?subject=unsubscribe>")
        let parts = try #require(value("Feedback-ID")).split(separator: ":")
        #expect(parts == ["\(mails.runtime.campaign)", "\(mails.fixture.account)", token[...], "sluice"])
        let signed = try #require(value("DKIM-Signature")).replacing(" ", with: "").split(separator: ";")
            .first { $0.hasPrefix("h=") }
        for name in ["CFBL-Address", "CFBL-Feedback-ID", "Feedback-ID", "Message-ID", "List-Unsubscribe"] {
            #expect(signed?.dropFirst(2).split(separator: ":").contains(name[...]) == true, "\(name)")
        }
    }
}

/// A complaint in ARF (RFC 5965) about a mail, redacted (RFC 6590) as reporters do it.
struct ComplaintMail {
    let octets: [UInt8]

    init(_ mail: String, about address: String, _ redaction: Redaction?, _ generator: inout SeededGenerator) {
        let end = mail.firstRange(of: "\r\n\r\n")
        var header = (end.map { mail[..<$0.lowerBound] } ?? mail[...]).replacing("\r\n ", with: "\u{1}")
            .split(separator: "\r\n").map { String($0).replacing("\u{1}", with: "\r\n ") }
        var body = end.map { String(mail[$0.upperBound...]) } ?? ""
        var fields = ["Feedback-Type: abuse", "User-Agent: Loop/1", "Version: 1", "Original-Rcpt-To: \(address)"]
        let isEverything = redaction == .all
        func isGone(_ one: Redaction) -> Bool { redaction == one || isEverything }
        let replacement =
            ["", "redacted@redacted.invalid", "\(generator.next())@redacted.invalid"]
            .randomElement(using: &generator) ?? ""
        func take(_ names: [String]) {
            header = header.compactMap { field in
                guard let name = names.first(where: { field.lowercased().hasPrefix($0 + ":") }) else { return field }
                return replacement.isEmpty ? nil : "\(name): \(replacement)"
            }
        }
        if isGone(.recipient) {
            fields.removeAll { $0.hasPrefix("Original-Rcpt-To") }
            header = header.map { $0.replacing(address, with: "redacted@redacted.invalid") }
            body = body.replacing(address, with: "redacted@redacted.invalid")
        }
        if isGone(.returnPath) { take(["return-path"]) }
        if isGone(.to) { take(["to", "delivered-to"]) }
        if isGone(.subject) { take(["subject"]) }
        if isGone(.body) { body = "" }
        if Bool.random(using: &generator) { header = header.map { Self.lowered($0) } }
        octets = Array(Self.report(fields: fields, header: header, body: body).utf8)
    }

    /// Some write addresses and identifiers in small letters, or large.
    private static func lowered(_ field: String) -> String {
        ["message-id:", "return-path:", "cfbl-feedback-id:"].contains { field.lowercased().hasPrefix($0) }
            ? field.uppercased() : field
    }

    static func report(fields: [String], header: [String], body: String) -> String {
        var lines = [
            "From: <feedback@loop.example>", "To: <fbl@bounce.shop.example>", "Subject: complaint", "MIME-Version: 1.0",
            "Content-Type: multipart/report; report-type=feedback-report; boundary=\"report\"", "", "--report",
            "Content-Type: text/plain", "", "This is a complaint.", "--report",
            "Content-Type: message/feedback-report", "",
        ]
        lines += fields
        let type = body.isEmpty ? "text/rfc822-headers" : "message/rfc822"
        lines += ["", "--report", "Content-Type: \(type)", ""]
        lines += header
        lines += ["", body, "--report--", ""]
        return lines.joined(separator: "\r\n")
    }
}
