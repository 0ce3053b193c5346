import Foundation
import MailTypes
import SMTPProtocol
import Testing

@testable import Delivery

/// What a line of the accounting log says, and what it keeps to itself.
struct AttemptRecordTests {
    private static let batch = BatchID(account: AccountID(rawValue: 7), campaign: CampaignID(rawValue: 9), number: 3)

    private static func record(
        _ address: String = "ada@example.org", reply: SMTPReply? = nil, verdict: DeliveryReport.Verdict = .permanent,
        cause: DeliveryReport.Cause = .refused, decision: String = "bounced"
    ) throws -> AttemptRecord {
        AttemptRecord(
            time: 1_795_939_202_117, batch: batch, recipient: try EmailAddress(address), attempt: 2,
            peer: AttemptRecord.Peer(
                host: "mx.example.org", address: IPAddress("192.0.2.25"), source: IPAddress("198.51.100.9"),
                tls: "TLSv1.3", isVerified: true),
            report: DeliveryReport(verdict, cause, in: .rcpt, blame: .recipient, reply: reply), decision: decision,
            milliseconds: 41)
    }

    private static func object(_ record: AttemptRecord, personalData: Bool = false) throws -> [String: Any] {
        let object = try JSONSerialization.jsonObject(with: Data(record.line(personalData: personalData)))
        return try #require(object as? [String: Any])
    }

    @Test func `a line names the mail, the way, the answer and the decision`() throws {
        let reply = SMTPReply(550, EnhancedStatusCode("5.1.1"), "no such user")
        let object = try Self.object(Self.record(reply: reply))
        #expect(object["time"] as? String == "2026-11-29T08:00:02.117Z")
        #expect(object["account"] as? String == "7")
        #expect(object["campaign"] as? String == "\(Self.batch.campaign)")
        #expect(object["batch"] as? Int == 3)
        #expect(object["attempt"] as? Int == 2)
        #expect(object["host"] as? String == "mx.example.org")
        #expect(object["address"] as? String == "192.0.2.25")
        #expect(object["source"] as? String == "198.51.100.9")
        #expect(object["tls"] as? String == "TLSv1.3")
        #expect(object["tls_verified"] as? Bool == true)
        #expect(object["phase"] as? String == "rcpt")
        #expect(object["code"] as? Int == 550)
        #expect(object["enhanced"] as? String == "5.1.1")
        #expect(object["duration_ms"] as? Int == 41)
        #expect(object["decision"] as? String == "bounced")
    }

    @Test func `what is not known has no name`() throws {
        var record = try Self.record(
            "ada@example.org", reply: nil, verdict: .temporary, cause: .unreachable, decision: "deferred")
        record.peer = AttemptRecord.Peer(host: "mx.example.org")
        record.milliseconds = nil
        let object = try Self.object(record)
        for name in ["address", "source", "tls", "code", "enhanced", "reply", "duration_ms"] {
            #expect(object[name] == nil, "\(name)")
        }
        #expect(object["reason"] as? String == "no connection to the server")
        #expect(object["tls_verified"] as? Bool == false)
    }

    /// Replies that repeat whom they refuse, in the forms of the field; none may show who it is.
    @Test(arguments: [
        "5.1.1 <Ada.Lovelace@Example.org>: no such user", "5.1.1 ada.lovelace: unknown user",
        "5.2.2 mailbox of ADA.LOVELACE is full", "user=ada.lovelace,reason=blocked",
        "see https://example.org/why?to=ada.lovelace@example.org", "'ada.lovelace'",
    ])
    func `a masked line shows no local part`(text: String) throws {
        let record = try Self.record("ada.lovelace@example.org", reply: SMTPReply(550, nil, text))
        let masked = String(decoding: record.line(personalData: false), as: UTF8.self)
        #expect(!masked.lowercased().contains("lovelace"), "\(masked)")
        #expect(masked.contains("…@example.org"))
        let whole = try Self.object(record, personalData: true)
        #expect(whole["recipient"] as? String == "ada.lovelace@example.org")
        #expect((whole["reply"] as? String)?.contains(text) == true)
    }

    @Test func `words that only begin like the local part stay`() throws {
        let object = try Self.object(
            Self.record("no@example.org", reply: SMTPReply(550, nil, "nobody knows; not no")))
        #expect((object["reply"] as? String)?.hasSuffix("nobody knows; not …") == true)
    }

    @Test func `a line break in a reply does not end the line`() throws {
        let record = try Self.record(reply: SMTPReply(550, nil, "one\ntwo \"three\""))
        let line = String(decoding: record.line(personalData: true), as: UTF8.self)
        #expect(line.hasSuffix("\n") && line.count { $0.isNewline } == 1)
        #expect((try Self.object(record, personalData: true)["reply"] as? String)?.hasSuffix("two \"three\"") == true)
    }
}
