import Campaigns
import Foundation
import MailTypes
import SMTPProtocol
import TestDatabases
import TestPeers
import TestSupport
import Testing

@testable import Delivery

/// An engine with an accounting log: a line for each attempt, whatever came of it.
struct AccountedDeliveryTests {
    @Test func `each attempt has its line`() async throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "attempts-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        let fixture = try await DeliveryFixture.make()
        let greylisted = SMTPReply(451, EnhancedStatusCode("4.7.1"), "Greylisted, come back later")
        let unknown = SMTPReply(550, EnhancedStatusCode("5.1.1"), "person2@example.org is unknown here")
        let server = MailServer { recipient, attempt in
            if recipient == DeliveryFixture.address(1), attempt == 1 { return .recipient(greylisted) }
            return recipient == DeliveryFixture.address(2) ? .recipient(unknown) : .accept
        }
        try await fixture.withEngine(to: server, { $0.accounting = .init(path: path) }) { _ in
            let status = try await fixture.end(of: try await fixture.send(3))
            #expect(status.counters.delivered == 2)
        }
        let text = try String(contentsOfFile: path, encoding: .utf8)
        let lines = try text.split(separator: "\n").map { line in
            try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        }
        let decisions = lines.map { "\($0["attempt"] ?? "") \($0["decision"] ?? "") \($0["code"] ?? "")" }
        #expect(decisions.sorted() == ["1 bounced 550", "1 deferred 451", "1 delivered 250", "2 delivered 250"])
        for line in lines {
            #expect(line["address"] as? String == "127.0.0.1")
            #expect(line["source"] as? String == "127.0.0.1")
            #expect(line["recipient"] as? String == "…@example.org")
            #expect(line["duration_ms"] as? Int != nil)
        }
        #expect(!text.contains("person"), "masked")
    }
}
