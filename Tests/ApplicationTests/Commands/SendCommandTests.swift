import ArgumentParser
import Foundation
import Testing

@testable import Application

@Suite struct SendCommandTests {
    private static func campaign(_ state: String, _ counters: [String: Int]) throws -> APIClient.Campaign {
        let names = [
            "recipients", "pending", "deferred", "delivered", "bounced", "expired", "suppressed", "invalid",
            "cancelled",
            "in_doubt", "in_doubt_resent",
        ]
        let members = names.map { "\"\($0)\": \(counters[$0] ?? 0)" }.joined(separator: ", ")
        let json = """
            {"id": "cmp_1", "state": "\(state)", "counters": {\(members)},
             "credits": {"held": 0, "charged": 0, "released": 0}, "purged_at": null}
            """
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(APIClient.Campaign.self, from: Data(json.utf8))
    }

    @Test(arguments: [
        ("completed", ["recipients": 3, "delivered": 3], SendStatus.delivered),
        ("completed", ["recipients": 3, "delivered": 2, "suppressed": 1], .delivered),
        ("completed", ["recipients": 2, "suppressed": 2], .delivered),
        ("completed", ["recipients": 3, "delivered": 2, "bounced": 1], .partly),
        ("completed", ["recipients": 3, "delivered": 2, "in_doubt": 1], .partly),
        ("completed", ["recipients": 3, "delivered": 2, "expired": 1], .partly),
        ("completed", ["recipients": 3, "invalid": 3], .undelivered),
        ("completed", ["recipients": 3, "bounced": 2, "suppressed": 1], .undelivered),
        ("cancelled", ["recipients": 3, "delivered": 2, "cancelled": 1], .cancelled),
        ("cancelled", ["recipients": 3, "delivered": 3], .cancelled),
    ])
    func `the exit status tells how a campaign ended`(
        state: String, counters: [String: Int], expected: SendStatus
    ) throws {
        #expect(SendStatus(try Self.campaign(state, counters)) == expected)
    }

    @Test(arguments: [
        "", "tomorrow", "2027-13-01T00:00:00Z", "2027-01-31", "2027-01-31 08:00:00", "x\"}", "2027-01-31T08:00:00",
        "2020-01-01T00:00:00Z", "2026-11-29T11:58:30Z",
    ])
    func `a time that is none, or has passed, is refused before anything is made`(text: String) throws {
        let now = try #require(ISO8601DateFormatter().date(from: "2026-11-29T12:00:00Z"))
        #expect(throws: ValidationError.self) { try SendCommand.checkTime(text, now: now) }
    }

    @Test(arguments: [
        "2026-11-29T12:00:00Z", "2026-11-29T11:59:30Z", "2027-01-31T08:00:00+02:00", "2027-01-31T08:00:00.5Z",
    ])
    func `a time to come is taken, and one of this minute`(text: String) throws {
        let now = try #require(ISO8601DateFormatter().date(from: "2026-11-29T12:00:00Z"))
        try SendCommand.checkTime(text, now: now)
    }

    @Test(arguments: [
        "", "127.0.0.1:8025", "localhost", "ftp://host", "http://", "http:// host", "https://host/?a=b", "//host",
    ])
    func `what is no address of a server is refused in words`(text: String) {
        let error = #expect(throws: CommandFailure.self) { try APIClient(address: text, key: "k") }
        #expect(error?.description.contains("begins with http:// or https://") == true)
    }

    @Test(arguments: [
        ("http://127.0.0.1:8025", "http://127.0.0.1:8025"), ("https://mail.example.net/", "https://mail.example.net"),
        (" http://[::1]:1/ ", "http://[::1]:1"), ("https://host/sluice//", "https://host/sluice"),
    ])
    func `an address of a server is taken`(text: String, expected: String) throws {
        #expect(try APIClient(address: text, key: "k").base == expected)
    }

    @Test(.timeLimit(.minutes(1))) func `a port where nothing listens is told at once and plainly`() async throws {
        let client = try APIClient(address: "http://127.0.0.1:1", key: "k")
        let error = await #expect(throws: APIFailure.self) { try await client.requireServer() }
        #expect(error?.description == "no server answers at http://127.0.0.1:1: nothing listens there")
        #expect(error?.isUnreachable == true)
    }

    @Test(arguments: [
        ("email\na@b.co\n", false), ("{\"email\":\"a@b.co\"}", true), ("\u{FEFF} \n{\"email\"", true), ("[{", true),
        ("\u{FEFF}email;name", false), ("", false), ("\"email\",\"{\"", false),
    ])
    func `a list's first character tells its format`(text: String, isJSON: Bool) throws {
        #expect(RecipientFile.isJSON(Data(text.utf8)) == isJSON)
        #expect(RecipientFile.isJSON(try #require(text.data(using: .utf16LittleEndian))) == isJSON)
        #expect(RecipientFile.isJSON(try #require(text.data(using: .utf16BigEndian))) == isJSON)
    }
}
