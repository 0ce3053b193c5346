import HTTPTypes
import Postgres
import TestDatabases
import Testing

/// What is not about campaigns but about HTTP.
@Suite struct HTTPTests {
    @Test(arguments: [
        ("/v1/campaigns", "GET, HEAD, POST"), ("/v1/campaigns/cmp_0000000000000", "DELETE, GET, HEAD"),
        ("/v1/campaigns/cmp_0000000000000/send", "POST"), ("/v1/suppressions/a@example.org", "DELETE"),
        ("/v1/domains/a.example", "DELETE, GET, HEAD"), ("/health", "GET, HEAD"), ("/u/token", "GET, HEAD, POST"),
    ])
    func `a method that an address does not take is told which it takes`(_ path: String, _ allow: String) async throws {
        try await APIFixture.withCustomer { _, _, api in
            let allowed = Set(allow.split(separator: ", ").map(String.init))
            for method in [HTTPRequest.Method.get, .post, .put, .delete, .patch, .options]
            where !allowed.contains(method.rawValue) {
                let answer = try await api.call(method, path)
                answer.expectProblem(405, "method_not_allowed")
                #expect(answer.headers[.allow] == allow)
            }
        }
    }

    @Test(arguments: [
        "/v1", "/v1/", "/v1/nothing", "/v1/campaigns/cmp_0000000000000/nothing", "/v1/credits/entries/1", "/nothing",
        "/", "/u", "/v2/campaigns",
    ])
    func `what is not there is not found`(_ path: String) async throws {
        try await APIFixture.withCustomer { _, _, api in
            for method in [HTTPRequest.Method.get, .post, .delete] {
                try await api.call(method, path).expectProblem(404, "not_found")
            }
        }
    }

    @Test(arguments: ["/v1/credits", "/v1/campaigns", "/health", "/openapi.yaml"])
    func `HEAD answers like GET without the body`(_ path: String) async throws {
        try await APIFixture.withCustomer { _, _, api in
            let get = try await api.get(path)
            let head = try await api.call(.head, path)
            #expect((get.status, head.status) == (200, 200))
            #expect(head.text.isEmpty)
            #expect(head.headers[.contentType] == get.headers[.contentType])
            #expect(head.headers[.contentLength] == String(get.text.utf8.count))
            head.expectHeaders()
        }
    }

    @Test(arguments: [
        "/v1/nothing", "/nothing", "/v1/campaigns/cmp_0000000000000", "/v1/campaigns/cmp_0000000000000/send",
    ])
    func `HEAD has no body where it is refused`(_ path: String) async throws {
        try await APIFixture.withCustomer { _, _, api in
            let head = try await api.call(.head, path)
            #expect((400...499).contains(head.status))
            #expect(head.text.isEmpty)
            #expect(head.headers[.contentType] == "application/problem+json")
        }
    }

    @Test func `the body of a GET is ignored`() async throws {
        try await APIFixture.withCustomer { _, _, api in
            for body in ["{", String(repeating: "x", count: 3_000_000), "\u{0}"] {
                let answer = try await api.call(.get, "/v1/credits", body: body)
                #expect(answer.status == 200)
            }
        }
    }

    @Test func `health tells when the database is gone, and when to come back`() async throws {
        let fixture = try await APIFixture.make()
        try await fixture.withAPI { api in
            let well = try await api.get("/health")
            #expect((well.status, well.text) == (200, #"{"status":"ok"}"#))
            well.expectHeaders()
        }
        let customer = try await fixture.customer()
        await fixture.records.pool.close()
        await fixture.pool.close()
        try await fixture.withAPI(customer.key) { api in
            for path in ["/health", "/v1/credits", "/v1/campaigns"] {
                let answer = try await api.get(path)
                answer.expectProblem(503, "database_unavailable")
                #expect(answer.headers[.retryAfter] == "2")
            }
        }
    }

    @Test func `one connection carries many requests, the refused among them`() async throws {
        let fixture = try await APIFixture.shared()
        let customer = try await fixture.customer()
        try await fixture.withServer { port in
            let connection = try RawConnection(port: port)
            let head = "Host: localhost\r\nAuthorization: Bearer \(customer.key)\r\n"
            try await connection.write(
                "POST /v1/campaigns HTTP/1.1\r\n\(head)Content-Length: 5\r\n\r\n{\"a\":"
                    + "HEAD /v1/nothing HTTP/1.1\r\n\(head)\r\n"
                    + "GET /v1/credits HTTP/1.1\r\n\(head)Content-Length: 4\r\n\r\njunk"
                    + "GET /health HTTP/1.1\r\n\(head)Connection: close\r\n\r\n")
            let text = try await connection.read()
            #expect(text.matches(of: /HTTP\/1\.1 (\d+)/).map { String($0.1) } == ["400", "404", "200", "200"])
            #expect(text.hasSuffix(#"{"status":"ok"}"#))
        }
    }
}
