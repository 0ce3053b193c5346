import Foundation
import TestSupport
import Testing

@testable import Webhooks

struct SignatureTests {
    private let secret = WebhookSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")!

    /// The example of the libraries of Standard Webhooks.
    @Test func `a signature is the one of the specification's example`() {
        let signature = secret.signature(
            id: "msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp: 1_614_265_330, body: Array(#"{"test": 2432232314}"#.utf8))
        #expect(signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
    }

    @Test func `a secret survives its text, and shows itself nowhere else`() throws {
        let secret = WebhookSecret()
        #expect(WebhookSecret(secret.text) == secret)
        #expect(!"\(secret)".contains(secret.text.dropFirst(6)))
        #expect(WebhookSecret("whsec_") == nil)
        #expect(WebhookSecret("whsec_c2hvcnQ=") == nil)
        #expect(WebhookSecret(String(secret.text.dropFirst(6))) == nil)
    }

    @Test func `what was changed, is old, or is signed with another secret does not verify`() throws {
        let verifier = WebhookVerifier(secret)
        let body = Array("{}".utf8)
        let signature = secret.signature(id: "msg_1", timestamp: 1_000, body: body)
        let other = WebhookSecret().signature(id: "msg_1", timestamp: 1_000, body: body)
        func failure(
            id: String? = "msg_1", timestamp: String? = "1000", signatures: String?, body: [UInt8] = body,
            now: Int64 = 1_100
        ) -> WebhookVerifier.Failure? {
            do throws(WebhookVerifier.Failure) {
                try verifier.verify(id: id, timestamp: timestamp, signatures: signatures, body: body, now: now)
                return nil
            } catch {
                return error
            }
        }
        #expect(failure(signatures: signature) == nil)
        #expect(failure(signatures: other + " " + signature) == nil)
        #expect(failure(signatures: other) == .wrongSignature)
        #expect(failure(signatures: signature, body: Array("{ }".utf8)) == .wrongSignature)
        #expect(failure(id: "msg_2", signatures: signature) == .wrongSignature)
        #expect(failure(timestamp: "1001", signatures: signature) == .wrongSignature)
        #expect(failure(signatures: signature, now: 1_301) == .tooOldOrNew)
        #expect(failure(signatures: signature, now: 699) == .tooOldOrNew)
        #expect(failure(signatures: nil) == .missingHeader)
        #expect(failure(timestamp: "soon", signatures: signature) == .missingHeader)
    }

    @Test func `after a rotation both secrets sign for a while, then only the new one`() throws {
        let (first, second, third) = (WebhookSecret(), WebhookSecret(), WebhookSecret())
        var settings = WebhookSettings(url: "https://a.example/", secrets: [.init(text: first.text, until: nil)])
        settings.rotate(to: second, at: 100, overlap: 50)
        #expect(settings.secrets(at: 149) == [second, first])
        #expect(settings.secrets(at: 150) == [second])
        settings.rotate(to: third, at: 120, overlap: 50)
        #expect(settings.secrets(at: 130) == [third, second])
        settings.rotate(to: first, at: 130, overlap: 0)
        #expect(settings.secrets(at: 130) == [first])
    }
}
