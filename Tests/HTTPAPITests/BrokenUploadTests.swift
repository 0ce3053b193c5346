import HTTPAPI
import HTTPTypes
import Testing

/// An upload that breaks off leaves nothing, and can be sent again under its key.
@Suite struct BrokenUploadTests {
    struct Break: Sendable, CustomTestStringConvertible {
        let name: String
        let header: String
        let body: String
        var testDescription: String { name }
    }

    static let breaks = [
        Break(
            name: "fewer octets than announced", header: "Content-Length: 100000",
            body: API.lines(3)),
        Break(
            name: "a chunk that never ends", header: "Transfer-Encoding: chunked", body: "fffff\r\n" + API.lines(3)),
        Break(
            name: "chunks without their end", header: "Transfer-Encoding: chunked",
            body: String(API.lines(3).utf8.count, radix: 16) + "\r\n" + API.lines(3) + "\r\n"),
        Break(
            name: "chunks that stop being chunks", header: "Transfer-Encoding: chunked",
            body: String(API.lines(3).utf8.count, radix: 16) + "\r\n" + API.lines(3) + "\r\nzzz\r\n"),
    ]

    @Test(arguments: breaks) func `it is refused, nothing is kept`(_ broken: Break) async throws {
        try await APIFixture.withCustomer { fixture, customer, api in
            let id = try await api.draft(1)
            let before = try await fixture.state(customer.account)
            try await fixture.withServer { port in
                for halfClosed in [true, false] {
                    let connection = try RawConnection(port: port)
                    try await connection.write(
                        """
                        POST /v1/campaigns/\(id)/recipients HTTP/1.1\r
                        Host: localhost\r
                        Authorization: Bearer \(customer.key)\r
                        Content-Type: application/x-ndjson\r
                        Idempotency-Key: k\r
                        \(broken.header)\r
                        \r

                        """ + broken.body)
                    guard halfClosed else {
                        connection.end()
                        continue
                    }
                    connection.closeWriting()
                    let answer = try await connection.read()
                    #expect(answer.rawStatus == 400, "\(answer)")
                    #expect(try JSON(parsing: answer.rawBody)["code"] == "body_incomplete")
                }
            }
            // The server has stopped, so everything that it was to do with the uploads is done.
            #expect(try await fixture.state(customer.account) == before)
            let again = try await api.call(
                .post, "/v1/campaigns/\(id)/recipients", body: API.lines(4), type: "application/x-ndjson",
                idempotencyKey: "k")
            #expect((again.status, again.isReplayed) == (200, false))
            #expect(again.json["accepted"] == 3)
        }
    }

    @Test func `a second upload waits its turn`() async throws {
        try await APIFixture.withOwnDatabase { fixture, customer, api in
            let id = try await api.draft()
            try await fixture.withServer { port in
                let slow = try RawConnection(port: port)
                let lines = API.lines(2)
                try await slow.write(
                    """
                    POST /v1/campaigns/\(id)/recipients HTTP/1.1\r
                    Host: localhost\r
                    Authorization: Bearer \(customer.key)\r
                    Content-Type: application/x-ndjson\r
                    Connection: close\r
                    Content-Length: \(lines.utf8.count)\r
                    \r

                    """ + lines.prefix(20))
                while try await fixture.advisoryLocks() == 0 { try await Task.sleep(for: .milliseconds(10)) }
                let answer = try await api.upload(id, API.lines(1, from: 5))
                answer.expectProblem(409, "upload_in_progress")
                #expect(answer.headers[.retryAfter] == "5")
                try await slow.write(String(lines.dropFirst(20)))
                #expect(try await slow.read().rawStatus == 200)
            }
            #expect(try await api.get("/v1/campaigns/\(id)").json["counters"]["recipients"] == 2)
        }
    }

    private static func drafts(_ count: Int, _ api: API) async throws -> [String] {
        var drafts: [String] = []
        for _ in 0..<count { drafts.append(try await api.draft()) }
        return drafts
    }

    @Test func `uploads are bounded by account, and one that ended is free again`() async throws {
        try await APIFixture.withOwnDatabase { fixture, customer, api in
            let last = try await api.draft()
            let drafts = try await Self.drafts(APILimits.uploadsPerAccount, api)
            let lines = API.lines(2)
            @Sendable func head(_ id: String, _ key: String) -> String {
                """
                POST /v1/campaigns/\(id)/recipients HTTP/1.1\r
                Host: localhost\r
                Authorization: Bearer \(key)\r
                Content-Type: application/x-ndjson\r
                Connection: close\r
                Content-Length: \(lines.utf8.count)\r
                \r

                """
            }
            try await fixture.withServer { port in
                var slow: [RawConnection] = []
                for id in drafts {
                    let connection = try RawConnection(port: port)
                    try await connection.write(head(id, customer.key) + lines.prefix(20))
                    slow.append(connection)
                }
                while try await fixture.advisoryLocks() < drafts.count { try await Task.sleep(for: .milliseconds(10)) }
                let refused = try RawConnection(port: port)
                try await refused.write(head(last, customer.key) + lines)
                let answer = try await refused.read()
                #expect(answer.rawStatus == 429)
                #expect(try JSON(parsing: answer.rawBody)["code"] == "too_many_uploads")
                // Other accounts have their own.
                let other = try await fixture.customer()
                let theirs = try await fixture.withAPI(other.key) { try await $0.draft() }
                let connection = try RawConnection(port: port)
                try await connection.write(head(theirs, other.key) + lines)
                #expect(try await connection.read().rawStatus == 200)

                for connection in slow {
                    try await connection.write(String(lines.dropFirst(20)))
                    #expect(try await connection.read().rawStatus == 200)
                }
                let again = try RawConnection(port: port)
                try await again.write(head(last, customer.key) + lines)
                #expect(try await again.read().rawStatus == 200)
            }
        }
    }
}
