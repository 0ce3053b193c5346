import MailTypes
import Testing

@testable import Campaigns

struct PurgeCertificateTests {
    private static var certificate: PurgeCertificate {
        var counters = CampaignCounters()
        counters.recipients = 10
        counters.delivered = 7
        counters.bounced = 2
        counters.inDoubt = 1
        counters.inDoubtResent = 3
        return PurgeCertificate(
            account: AccountID(rawValue: 5), campaign: CampaignID(rawValue: 1 << 40), state: .completed,
            counters: counters, rows: ["journal": 4, "batches": 2], bytes: 999, keyDestroyedAt: 1_800_000_000,
            completedAt: 1_800_000_001)
    }

    /// Fixed: whoever keeps a certificate can check it with any SHA-256.
    @Test func `the canonical text is sorted JSON without white space`() {
        #expect(
            Self.certificate.canonicalText == """
                {"account":"5","bytes":999,"campaign":"cmp_0000100000000","completed_at":"2027-01-15T08:00:01Z",\
                "counters":{"bounced":2,"cancelled":0,"delivered":7,"expired":0,"in_doubt":1,"in_doubt_resent":3,\
                "invalid":0,"suppressed":0},"key_destroyed_at":"2027-01-15T08:00:00Z","recipients":10,\
                "rows":{"batches":2,"journal":4},"state":"completed","version":1}
                """)
    }

    @Test func `a stored certificate reads back, an altered one does not`() throws {
        let certificate = Self.certificate
        #expect(try PurgeCertificate(json: certificate.json) == certificate)
        let altered = certificate.json.replacing(#""delivered":7"#, with: #""delivered":6"#)
        #expect(altered != certificate.json)
        #expect(throws: CampaignError.self) { try PurgeCertificate(json: altered) }
        #expect(throws: CampaignError.self) { try PurgeCertificate(json: "{}") }
    }

    @Test func `the digest ends the certificate`() {
        // printf '%s' '<canonical text>' | sha256sum
        #expect(Self.certificate.digestText == "0739b9f175ef40f8bff8fed43f62bbc458353fae2083541c93aab29cbefe415a")
        #expect(Self.certificate.json.hasSuffix(#","digest":"\#(Self.certificate.digestText)"}"#))
        #expect(Self.certificate.digestText.utf8.count == 64)
    }
}
