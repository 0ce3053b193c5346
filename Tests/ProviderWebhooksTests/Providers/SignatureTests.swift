import Crypto
import Feedback
import Foundation
import MailTypes
import Postgres
import TestDatabases
import TestStores
import Testing
import Vault

@testable import ProviderWebhooks

/// The signatures of single providers, with what is known of their traps.
@Suite struct SignatureTests {
    private let vector = (
        // Of Twilio's own libraries (sendgrid-nodejs, MIT licence).
        key:
            "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g==",
        signature: "MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM=",
        body:
            #"[{"email":"hello@world.com","event":"dropped","reason":"Bounced Address","sg_event_id":"ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA","sg_message_id":"LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0","smtp-id":"<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>","timestamp":1600112492}]"#
            + "\r\n"
    )

    private func sendgrid(_ body: String, time: String = "1600112502", now: Int64 = 1_600_112_502) async throws -> Bool
    {
        let delivery = ProviderDelivery(
            headers: [
                ("X-Twilio-Email-Event-Webhook-Signature", vector.signature),
                ("X-Twilio-Email-Event-Webhook-Timestamp", time),
            ], body: Array(body.utf8))
        do {
            _ = try await SendGrid().verify(delivery, SourceMaterial(keys: [vector.key]), now: now)
            return true
        } catch is ProviderRefusal {
            return false
        }
    }

    @Test func `SendGrid signs the octets as they come, line ends included`() async throws {
        #expect(try await sendgrid(vector.body))
        #expect(try await sendgrid(String(vector.body.dropLast())) == false)
        #expect(try await sendgrid(vector.body.replacing("\r\n", with: "\n")) == false)
        #expect(try await sendgrid(vector.body.replacing(",", with: ", ", maxReplacements: 1)) == false)
        #expect(try await sendgrid(vector.body, time: "1600112503") == false)
        #expect(
            try await sendgrid(vector.body, now: 1_600_112_502 + ProviderLimits.retriedSignatureSeconds + 1) == false)
        #expect(try await sendgrid(vector.body, now: 1_600_112_502 - ProviderLimits.clockSkewSeconds - 1) == false)
    }

    @Test func `SendGrid's bodies of several events come with line ends between them`() async throws {
        try await Desk.with { desk in
            let specimen = try ProviderSpecimen(.sendgrid)
            let (_, secret) = try await desk.source(specimen)
            var tokens: [String] = []
            for number in 0..<50 { tokens.append(try await desk.token("reader\(number)@example.org")) }
            let request = try specimen.hardBounces(tokens, now: Desk.now)
            let text = String(decoding: request.body, as: UTF8.self)
            #expect(text.contains("},\r\n{") && text.hasSuffix("]\r\n"))
            var trimmed = request
            trimmed.body = Array(text.replacing("\r\n", with: "").utf8)
            try await desk.expect(trimmed, .sendgrid, secret, answers: 403)
            try await desk.expect(request, .sendgrid, secret, answers: 200)
            try await desk.workOff()
            #expect(try await desk.facts().count == 50)
        }
    }

    @Test func `Mailgun's token belongs to the first body that came with it`() async throws {
        try await Desk.with { desk in
            let specimen = try ProviderSpecimen(.mailgun)
            let (_, secret) = try await desk.source(specimen)
            let (jane, john) = (try await desk.token("jane@example.org"), try await desk.token("john@example.org"))
            let request = try specimen.hardBounces([jane], now: Desk.now)
            // Somebody who has seen one delivery puts another recipient into it; the signature still fits.
            var forged = request
            forged.body = Array(String(decoding: request.body, as: UTF8.self).replacing(jane, with: john).utf8)
            #expect(forged.body != request.body)
            try await desk.expect(request, .mailgun, secret, answers: 200)
            for _ in 0..<2 {
                let answer = try #require(try await desk.post(forged, to: .mailgun, secret))
                #expect(answer.status == 406 && answer.code == "feedback_replayed")
            }
            try await desk.workOff()
            try await desk.expect(forged, .mailgun, secret, answers: 406)
            try await desk.expect(request, .mailgun, secret, answers: 200)
            #expect(try await desk.suppression(of: "jane@example.org") == .hardBounce)
            #expect(try await desk.suppression(of: "john@example.org") == nil)
            // Once the token is forgotten, its time is over.
            #expect(ProviderLimits.retriedSignatureSeconds < Int64(ProviderLimits.receiptHours) * 3_600)
            desk.clock.set(Desk.now + ProviderLimits.retriedSignatureSeconds + 1)
            try await desk.expect(forged, .mailgun, secret, answers: 406)
        }
    }

    @Test func `Mailgun's subaccounts are believed by the signature of their parent`() async throws {
        let block = { (key: String, token: String) in
            let code = HMAC<SHA256>.authenticationCode(
                for: Array("\(Desk.now)\(token)".utf8), using: SymmetricKey(data: Array(key.utf8)))
            return #"{"timestamp":"\#(Desk.now)","token":"\#(token)","signature":"\#(Array(code).hexadecimal)"}"#
        }
        let (parent, child) = ("key-of-the-parent-account", "key-of-the-subaccount")
        func isBelieved(_ material: SourceMaterial, parentSignature: String) async -> Bool {
            let body =
                #"{"signature":\#(block(child, "one")),"parent-signature":\#(parentSignature),"event-data":{"event":"opened"}}"#
            let delivery = ProviderDelivery(headers: [], body: Array(body.utf8))
            return (try? await Mailgun().verify(delivery, material, now: Desk.now)) != nil
        }
        #expect(await isBelieved(SourceMaterial(keys: [child]), parentSignature: "null"))
        #expect(await isBelieved(SourceMaterial(parentKeys: [parent]), parentSignature: block(parent, "two")))
        #expect(await isBelieved(SourceMaterial(parentKeys: [parent]), parentSignature: block(child, "two")) == false)
        #expect(await isBelieved(SourceMaterial(parentKeys: [parent]), parentSignature: "null") == false)
    }

    /// The example of the specification.
    @Test func `Standard Webhooks are verified as their specification's example`() throws {
        let body = Array(#"{"test": 2432232314}"#.utf8)
        func isBelieved(
            _ signature: String, keys: [String] = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"], after: Int64 = 0
        )
            -> Bool
        {
            ["webhook-", "svix-"].allSatisfy { prefix in
                let delivery = ProviderDelivery(
                    headers: [
                        (prefix + "id", "msg_p5jXN8AQM9LWM0D4loKWxJek"), (prefix + "timestamp", "1614265330"),
                        (prefix + "signature", signature),
                    ], body: body)
                return (try? StandardWebhooks.verify(delivery, keys, now: 1_614_265_330 + after)) != nil
            }
        }
        let right = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        #expect(isBelieved(right))
        #expect(isBelieved("v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc= v2,xx \(right)"))
        #expect(isBelieved(right, keys: [StandardWebhooks.newKey(), "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]))
        #expect(!isBelieved("v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc="))
        #expect(!isBelieved(String(right.dropFirst(3))))
        #expect(!isBelieved("v1a" + right.dropFirst(2)))
        #expect(!isBelieved(right, keys: [StandardWebhooks.newKey()]))
        #expect(!isBelieved(right, keys: []))
        #expect(isBelieved(right, after: ProviderLimits.freshSignatureSeconds))
        #expect(!isBelieved(right, after: ProviderLimits.freshSignatureSeconds + 1))
    }

    @Test func `a source is made only with what its provider signs with`() async throws {
        try await Desk.with { desk in
            for kind in ProviderKind.allCases where ![.sendgrid, .resend, .standard].contains(kind) {
                await #expect(throws: ProviderSourceError.self, "\(kind)") {
                    try await desk.sources.add(kind, name: "x", material: SourceMaterial())
                }
            }
            await #expect(throws: ProviderSourceError.invalidKey) {
                try await desk.sources.add(.sendgrid, name: "x", material: SourceMaterial(keys: ["MFkw"]))
            }
            await #expect(throws: ProviderSourceError.invalidName) {
                try await desk.sources.add(
                    .ses, name: "a\nb", material: SourceMaterial(topic: "arn:aws:sns:eu-west-1:123456789012:e"))
            }
        }
    }

    @Test func `a key that comes after the address is believed from then on, and nothing before`() async throws {
        try await Desk.with { desk in
            let specimen = try ProviderSpecimen(.sendgrid)
            let (id, made) = try await desk.sources.add(.sendgrid, name: "x", material: SourceMaterial())
            let secret = made.text.exposed
            let request = try specimen.hardBounces([try await desk.token("jane@example.org")], now: Desk.now)
            try await desk.expect(request, .sendgrid, secret, answers: 403)
            await #expect(throws: ProviderSourceError.invalidKey) {
                try await desk.sources.setKeys(["MFkw"], parentKeys: [], of: id)
            }
            #expect(try await desk.sources.setKeys(specimen.material.keys, parentKeys: [], of: id))
            #expect(try await desk.sources.setKeys(specimen.material.keys, parentKeys: [], of: id + 1) == false)
            try await Task.sleep(for: .seconds(ProviderLimits.bookSeconds) + .milliseconds(200))
            try await desk.expect(request, .sendgrid, secret, answers: 200)
        }
    }

    @Test func `neither secrets nor what verifies reports can be read in the database`() async throws {
        try await Desk.with { desk in
            let specimen = try ProviderSpecimen(.mailgun)
            let (_, secret) = try await desk.source(specimen)
            let address = "jane@example.org"
            let request = try specimen.hardBounces([try await desk.token(address)], now: Desk.now)
            try await desk.expect(request, .mailgun, secret, answers: 200)
            let rows = try await desk.stores.records.owner.query(
                "SELECT (SELECT string_agg(s::text, ' ') FROM provider_sources s) || (SELECT string_agg(encode(sealed, 'escape'), ' ') FROM provider_payloads)"
            ).only.decode(String.self)
            for text in [secret, specimen.material.keys[0], "event-data", "nobody@"] { #expect(!rows.contains(text)) }
        }
    }
}
