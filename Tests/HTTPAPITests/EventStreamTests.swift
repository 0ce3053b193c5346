import HTTPAPI
import HTTPTypes
import Identity
import MailTypes
import Testing

@Suite struct EventStreamTests {
    private static func open(_ campaign: String, _ customer: Customer, port: Int) async throws -> RawConnection {
        let connection = try RawConnection(port: port)
        try await connection.write(
            "GET /v1/campaigns/\(campaign)/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer \(customer.key)\r\n\r\n"
        )
        return connection
    }

    @Test func `each change is told until the campaign is purged`() async throws {
        try await APIFixture.withOwnDatabase { fixture, customer, api in
            let id = try await api.draft(2)
            try await fixture.withServer { port in
                let connection = try await Self.open(id, customer, port: port)
                let head = try await connection.read { $0.contains("\n\n") }
                #expect(head.rawStatus == 200)
                #expect(head.lowercased().contains("content-type: text/event-stream"))
                #expect(head.contains("event: progress\ndata: {\"id\":\"\(id)\",\"state\":\"draft\""))
                _ = try await api.post("/v1/campaigns/\(id)/send")
                let queued = try await connection.read { $0.contains("\"state\":\"queued\"") }
                #expect(queued.contains("\"held\":2"))
                try await fixture.deliver(id, of: customer.account)
                // The stream ends by itself, properly.
                let rest = try await connection.read { $0.hasSuffix("0\r\n\r\n") }
                #expect(rest.contains("\"state\":\"completed\""))
                #expect(rest.contains("\"delivered\":2"))
            }
        }
    }

    @Test func `a campaign that is purged already gives one event`() async throws {
        try await APIFixture.withOwnDatabase { fixture, customer, api in
            let id = try await api.sent(1)
            try await fixture.deliver(id, of: customer.account)
            let answer = try await api.get("/v1/campaigns/\(id)/events")
            #expect(answer.status == 200)
            #expect(answer.headers[.contentType] == "text/event-stream")
            answer.expectHeaders()
            let status = try await api.get("/v1/campaigns/\(id)").text
            #expect(answer.text == "event: progress\ndata: \(status)\n\n")
        }
    }

    @Test(arguments: ["events", "outcomes?follow=true"])
    func `a stream ends soon after its key is revoked`(_ stream: String) async throws {
        try await APIFixture.withCustomer { fixture, customer, api in
            let id = try await api.sent(1)
            let key = try await fixture.key(of: customer, ["campaigns:read"])
            let keys = fixture.services.keys
            let records = try await fixture.acting(for: customer.account) {
                try await keys.list(account: customer.account)
            }
            let record = try #require(records.first)
            try await fixture.withServer { port in
                let connection = try RawConnection(port: port)
                try await connection.write(
                    "GET /v1/campaigns/\(id)/\(stream) HTTP/1.1\r\nHost: localhost\r\n"
                        + "Authorization: Bearer \(key)\r\n\r\n")
                #expect(try await connection.read { $0.contains("\r\n\r\n") }.rawStatus == 200)
                let isRevoked = try await fixture.acting(for: customer.account) {
                    try await keys.revoke(record.id, account: customer.account)
                }
                #expect(isRevoked)
                let start = ContinuousClock.now
                let rest = try await connection.read { $0.hasSuffix("0\r\n\r\n") }
                #expect(rest.hasSuffix("0\r\n\r\n"))
                #expect(ContinuousClock.now - start < .seconds(10))
                // The next request under the customer's other key goes on.
                #expect(try await api.get("/v1/campaigns/\(id)").status == 200)
            }
        }
    }

    @Test func `streams are bounded by account, and one that the client left is free again`() async throws {
        try await APIFixture.withCustomer { fixture, customer, api in
            let id = try await api.draft()
            try await fixture.withServer { port in
                var connections: [RawConnection] = []
                for _ in 0..<APILimits.eventStreamsPerAccount {
                    let connection = try await Self.open(id, customer, port: port)
                    #expect(try await connection.read { $0.contains("\n\n") }.rawStatus == 200)
                    connections.append(connection)
                }
                let refused = try await Self.open(id, customer, port: port).read { $0.hasSuffix("}") }
                #expect(refused.rawStatus == 429)
                #expect(try JSON(parsing: refused.rawBody)["code"] == "too_many_event_streams")
                #expect(refused.lowercased().contains("retry-after: 5"))
                // Other accounts have their own.
                let other = try await fixture.customer()
                let theirs = try await fixture.withAPI(other.key) { try await $0.draft() }
                #expect(try await Self.open(theirs, other, port: port).read { $0.contains("\n\n") }.rawStatus == 200)

                connections.removeLast().end()
                var status: Int?
                repeat {
                    let connection = try await Self.open(id, customer, port: port)
                    status = try await connection.read { $0.contains("\n\n") || $0.hasSuffix("}") }.rawStatus
                    connections.append(connection)
                } while status == 429
                #expect(status == 200)
            }
            // The server has stopped although streams were open.
        }
    }
}
