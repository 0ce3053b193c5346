import HTTPAPI
import HTTPTypes
import Postgres
import TestDatabases
import Testing

/// `GET /v1/campaigns/{id}/outcomes`.
@Suite struct OutcomeRouteTests {
    private static func lines(_ text: String) throws -> [JSON] {
        try text.split(separator: "\n").map { try JSON(parsing: String($0)) }
    }

    @Test func `each line goes on after its cursor, and the last one says how the stream ended`() async throws {
        try await APIFixture.withOwnDatabase(resultsFor: 60) { fixture, customer, api in
            let id = try await api.sent(5)
            let path = "/v1/campaigns/\(id)/outcomes"
            let early = try await api.get(path)
            #expect(try Self.lines(early.text).map { $0["end"].string } == ["up_to_date"])
            try await fixture.deliver(id, of: customer.account)
            let answer = try await api.get(path)
            #expect(answer.status == 200)
            #expect(answer.headers[.contentType] == "application/x-ndjson")
            answer.expectHeaders()
            let all = try Self.lines(answer.text)
            #expect(all.dropLast().map { $0["email"].string } == (0..<5).map { "person\($0)@example.org" })
            #expect(all.last?["end"] == "complete")
            for place in 0..<5 {
                let cursor = try #require(all[place]["cursor"].string)
                let rest = try Self.lines(try await api.get("\(path)?after=\(cursor)").text)
                #expect(rest.map { $0["recipient"].integer } == all[(place + 1)...].map { $0["recipient"].integer })
            }
            #expect(try Self.lines(try await api.get("\(path)?outcome=bounced,expired").text).count == 1)
            #expect(try Self.lines(try await api.get("\(path)?outcome=bounced&outcome=delivered").text).count == 6)
        }
    }

    @Test func `a stream that follows tells what comes, and ends with the campaign`() async throws {
        try await APIFixture.withOwnDatabase(resultsFor: 60) { fixture, customer, api in
            let id = try await api.sent(3)
            try await fixture.withServer { port in
                let connection = try RawConnection(port: port)
                try await connection.write(
                    "GET /v1/campaigns/\(id)/outcomes?follow=true HTTP/1.1\r\nHost: localhost\r\n"
                        + "Authorization: Bearer \(customer.key)\r\n\r\n")
                #expect(try await connection.read { $0.contains("\r\n\r\n") }.rawStatus == 200)
                try await fixture.deliver(id, of: customer.account)
                let told = try await connection.read { $0.hasSuffix("0\r\n\r\n") }
                for place in 0..<3 { #expect(told.contains("\"email\":\"person\(place)@example.org\"")) }
                #expect(told.contains(#""end":"complete"}"#))
            }
        }
    }

    /// Readers that take nothing hold neither connections nor transactions: others go on.
    @Test func `slow readers keep nobody waiting, and are bounded by account`() async throws {
        try await APIFixture.withOwnDatabase(credits: 10_000, resultsFor: 60) { fixture, customer, api in
            let id = try await api.sent(3_000)
            try await fixture.deliver(id, of: customer.account)
            try await fixture.withServer { port in
                var readers: [RawConnection] = []
                for _ in 0..<APILimits.outcomeStreamsPerAccount {
                    let reader = try RawConnection(port: port)
                    try await reader.write(
                        "GET /v1/campaigns/\(id)/outcomes HTTP/1.1\r\nHost: localhost\r\n"
                            + "Authorization: Bearer \(customer.key)\r\n\r\n")
                    #expect(try await reader.read { $0.contains("person0@") }.rawStatus == 200)
                    readers.append(reader)
                }
                let open = try await fixture.records.owner.query(
                    """
                    SELECT count(*) FROM pg_stat_activity
                    WHERE datname = current_database() AND state LIKE 'idle in transaction%'
                    """
                ).only.decode(Int64.self)
                #expect(open == 0)
                for _ in 0..<5 { #expect(try await api.get("/v1/campaigns/\(id)").status == 200) }
                withExtendedLifetime(readers) {}
            }
        }
    }

    @Test func `bad questions get an answer of their own, and other accounts none`() async throws {
        try await APIFixture.withOwnDatabase(resultsFor: 0) { fixture, customer, api in
            let id = try await api.sent(1)
            let path = "/v1/campaigns/\(id)/outcomes"
            for outcome in ["pending", "", "delivered,", "Delivered"] {
                try await api.get("\(path)?outcome=\(outcome)").expectProblem(422, "invalid_field")
            }
            try await api.get("\(path)?follow=1").expectProblem(422, "invalid_field")
            for cursor in ["x", "1-2", "0.0.0.0.0", String(repeating: "1", count: 200)] {
                try await api.get("\(path)?after=\(cursor)").expectProblem(400, "invalid_cursor")
            }
            let other = try await fixture.customer()
            try await fixture.withAPI(other.key) { stranger in
                try await stranger.get(path).expectProblem(404, "not_found")
            }
            try await fixture.withAPI { nobody in try await nobody.get(path).expectProblem(401, "unauthorized") }
            try await fixture.deliver(id, of: customer.account)
            try await api.get(path).expectProblem(410, "purged")
        }
    }

    @Test func `results_for is within its bounds and is shown`() async throws {
        try await APIFixture.withCustomer { _, _, api in
            func draft(_ value: String) async throws -> Answer {
                let draft = #"{"from": "news@shop.example", "subject": "S", "text": "T", "results_for": \#(value)}"#
                return try await api.post("/v1/campaigns", draft)
            }
            for (value, seconds) in [("604800", 604_800), ("0", 0), ("null", 0)] {
                let answer = try await draft(value)
                #expect(answer.json["results_for"].integer == seconds)
            }
            for value in ["-1", "604801", "1.5", "\"60\""] {
                let answer = try await draft(value)
                #expect(answer.status == 422)
            }
        }
    }
}
