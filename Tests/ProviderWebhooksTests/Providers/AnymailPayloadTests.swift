import Feedback
import Foundation
import Testing

@testable import ProviderWebhooks

/// Payloads that django-anymail's authors have collected from the providers. They are not part of this repository:
/// `SLUICE_ANYMAIL_TESTS` names the folder `tests` of its source, github.com/anymail/django-anymail.
@Suite struct AnymailPayloadTests {
    private struct Payload: Decodable {
        let provider, test, body: String
        let expected: [String]
    }

    @Test func `each payload means what django-anymail's own test says`() throws {
        guard let folder = ProcessInfo.processInfo.environment["SLUICE_ANYMAIL_TESTS"] else {
            return print("skipped: SLUICE_ANYMAIL_TESTS names no folder of django-anymail's tests")
        }
        guard let python = Python(with: "ast") else { return }
        let payloads = try python.call("anymail_events.py", ["folder": folder], as: [Payload].self)
        #expect(!payloads.isEmpty)
        for payload in payloads {
            let kind = try #require(ProviderKind(rawValue: payload.provider))
            let body =
                kind == .ses
                ? try SpecimenBodies.text(["Type": "Notification", "Message": payload.body]) : Array(payload.body.utf8)
            let events = try kind.provider(SigningCertificates()).events(body)
            for (event, expected) in zip(events, payload.expected) {
                let fact = event.fact.map { "\($0)" } ?? "nothing"
                let allowed = Self.allowed[expected] ?? []
                #expect(
                    allowed.isEmpty || allowed.contains(fact),
                    "\(payload.provider) \(payload.test): \(expected), \(fact)")
            }
        }
        print("\(payloads.count) payloads of django-anymail")
    }

    /// What anymail's types of events are here; those that are not named may be anything.
    private static let allowed: [String: [String]] = [
        // A mail to several is not used where it is not clear who is meant.
        "bounced": ["hardBounce", "softBounce", "nothing"], "complained": ["complaint", "nothing"],
        "deferred": ["delay", "softBounce"], "unsubscribed": ["unsubscribe"], "delivered": ["nothing"],
        "opened": ["nothing"], "clicked": ["nothing"], "sent": ["nothing"], "queued": ["nothing"],
        "autoresponded": ["nothing"], "subscribed": ["nothing"],
    ]
}
