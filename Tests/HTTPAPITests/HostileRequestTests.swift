import Foundation
import HTTPAPI
import HTTPTypes
import Identity
import Logging
import MailTypes
import Postgres
import TestDatabases
import Testing

/// Requests that somebody has made to be read in two ways, or never to end, and what they get of a server that listens.
@Suite struct HostileRequestTests {
    /// A request, octet by octet as it goes over the connection, and what nobody may be answered to it.
    struct Hostile: Sendable, CustomTestStringConvertible {
        let name: String
        /// After the first line, `Host` and the key.
        let rest: String
        var method = "POST"
        var testDescription: String { name }
    }

    /// What follows the body would be a request of its own, if the server read less of the body than a proxy before it did.
    private static let second = "DELETE /v1/keys/KEY HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer TOKEN\r\n\r\n"

    static let smuggled = [
        Hostile(
            name: "Content-Length before Transfer-Encoding",
            rest: "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + second),
        Hostile(
            name: "Transfer-Encoding before Content-Length",
            rest: "Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\n" + second),
        Hostile(
            name: "two lengths", rest: "Content-Length: 0\r\nContent-Length: \(second.utf8.count)\r\n\r\n" + second),
        Hostile(name: "lengths in one field", rest: "Content-Length: 0, 100\r\n\r\n" + second),
        Hostile(name: "a length with a sign", rest: "Content-Length: +0\r\n\r\n" + second),
        Hostile(name: "a negative length", rest: "Content-Length: -1\r\n\r\n" + second),
        Hostile(name: "a length in hexadecimal", rest: "Content-Length: 0x0\r\n\r\n" + second),
        Hostile(name: "a length beyond 64 bits", rest: "Content-Length: 18446744073709551616\r\n\r\n" + second),
        Hostile(name: "an encoding that is not known", rest: "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + second),
        Hostile(
            name: "chunked is not the last encoding",
            rest: "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + second),
        Hostile(
            name: "a space before the colon", rest: "Transfer-Encoding : chunked\r\nContent-Length: 0\r\n\r\n" + second),
        Hostile(name: "a chunk of a negative size", rest: "Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n" + second),
        Hostile(
            name: "a chunk size beyond 64 bits",
            rest: "Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n\r\n" + second),
        Hostile(name: "NUL in a field", rest: "X-A: a\0b\r\nContent-Length: 0\r\n\r\n" + second),
        Hostile(name: "a carriage return in a field", rest: "X-A: a\rContent-Length: 9\r\n\r\n" + second),
    ]

    /// Whatever else happens, the connection ends before the second request is answered: nothing behind a request that cannot be
    /// told apart from its body is one.
    @Test(arguments: smuggled) func `what stands behind a body of two lengths is no request`(
        _ hostile: Hostile
    ) async throws {
        let fixture = try await APIFixture.shared()
        let customer = try await fixture.customer()
        let victim = try await fixture.customer()
        try await fixture.withServer { port in
            let connection = try RawConnection(port: port)
            let text =
                "\(hostile.method) /v1/suppressions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer \(customer.key)\r\n"
                + "Content-Type: application/json\r\n" + hostile.rest
            try await connection.write(
                text.replacing("KEY", with: victim.keyID.description).replacing("TOKEN", with: victim.key))
            // The server closes, or goes on waiting for what the first request has promised.
            connection.closeWriting()
            let answer = try await connection.read()
            #expect(!answer.contains("HTTP/1.1 204"), "\(answer)")
            #expect(answer.matches(of: /HTTP\/1\.1 \d+/).count <= 1, "\(answer)")
            // The victim's key was not revoked by it.
            let key = try await fixture.acting(for: victim.account) {
                try await fixture.services.keys.get(victim.keyID, account: victim.account)
            }
            #expect(key.revokedAt == nil)
            #expect(try await Self.isWell(port))
        }
    }

    /// Else the test above would pass whatever the server did.
    @Test func `behind a body of one length it is one`() async throws {
        let fixture = try await APIFixture.shared()
        let customer = try await fixture.customer()
        let victim = try await fixture.customer()
        try await fixture.withServer { port in
            for rest in ["Content-Length: 2\r\n\r\n{}", "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"] {
                let connection = try RawConnection(port: port)
                let text =
                    "POST /v1/suppressions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer \(customer.key)\r\n"
                    + "Content-Type: application/json\r\n" + rest + Self.second
                try await connection.write(
                    text.replacing("KEY", with: victim.keyID.description).replacing("TOKEN", with: victim.key))
                connection.closeWriting()
                #expect(try await connection.read().matches(of: /HTTP\/1\.1 \d+/).count == 2)
            }
        }
        let key = try await fixture.acting(for: victim.account) {
            try await fixture.services.keys.get(victim.keyID, account: victim.account)
        }
        #expect(key.revokedAt != nil)
    }

    @Test(arguments: [
        ("a header of a MiB", "X-A: " + String(repeating: "a", count: 1 << 20) + "\r\n"),
        ("a cookie of a MiB", "Cookie: __Host-sluice-token=" + String(repeating: "a", count: 1 << 20) + "\r\n"),
        ("100,000 headers", (0..<100_000).map { "X-\($0): a\r\n" }.joined()),
        ("a name of a MiB", String(repeating: "a", count: 1 << 20) + ": a\r\n"),
    ]) func `headers without end are not read to their end`(_ name: String, _ fields: String) async throws {
        let fixture = try await APIFixture.shared()
        let customer = try await fixture.customer()
        try await fixture.withServer { port in
            let connection = try RawConnection(port: port)
            // The server may close before all is written.
            try? await connection.write(
                "GET /v1/credits HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer \(customer.key)\r\n\(fields)\r\n")
            let status = (try await connection.read()).rawStatus
            #expect(status.map { (400...499).contains($0) } ?? true, "\(name): \(String(describing: status))")
            #expect(try await Self.isWell(port))
        }
    }

    @Test func `an address of a MiB is refused`() async throws {
        let fixture = try await APIFixture.shared()
        try await fixture.withServer { port in
            let connection = try RawConnection(port: port)
            try? await connection.write(
                "GET /v1/credits?x=\(String(repeating: "a", count: 1 << 20)) HTTP/1.1\r\nHost: localhost\r\n\r\n")
            let status = (try await connection.read()).rawStatus
            #expect(status.map { (400...499).contains($0) } ?? true)
            #expect(try await Self.isWell(port))
        }
    }

    private static func isWell(_ port: Int) async throws -> Bool {
        let connection = try RawConnection(port: port)
        try await connection.write("GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return try await connection.read().rawStatus == 200
    }

    // MARK: Bodies

    @Test func `a body that unpacks to more than it seems is not unpacked, whatever the call`() async throws {
        let bomb = try await Self.bomb()
        #expect((50_000..<200_000).contains(bomb.count))
        try await APIFixture.withOwner { fixture, customer, browser in
            let api = API(client: browser.api.client, key: customer.key)
            let id = try await api.draft()
            let before = try await fixture.state(customer.account)
            var asked = 0
            for operation in APIOperation.allCases where [.post, .patch].contains(operation.method) {
                // Their bodies are not read, nor asked for without the cookie of the step before.
                guard
                    ![.unsubscribe, .finishSignIn, .pauseCampaign, .resumeCampaign, .cancelCampaign].contains(operation)
                else { continue }
                let path = operation.samplePath.replacing("cmp_0000000000000", with: id)
                for encoding in ["gzip", "GZIP", "x-gzip", "deflate", "br", "identity, gzip", "gzip, identity"] {
                    let headers = ["Content-Encoding": encoding]
                    let isPersons = operation.access == .person
                    let type = operation == .addRecipients ? "text/csv" : "application/json"
                    let answer =
                        isPersons
                        ? try await browser.api.call(
                            operation.method, path, bytes: bomb, type: type,
                            headers: browser.fields.merging(headers) { $1 })
                        : try await api.call(operation.method, path, bytes: bomb, type: type, headers: headers)
                    #expect((400...499).contains(answer.status), "\(operation) \(encoding): \(answer.text)")
                    if answer.status == 415 { asked += 1 }
                }
            }
            #expect(asked > 80, "\(asked)")
            #expect(try await fixture.state(customer.account) == before)
        }
    }

    /// What `gzip` makes of 100 MiB of nothing.
    private static func bomb() async throws -> [UInt8] {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", "head -c 104857600 /dev/zero | gzip -9"]
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        return await Task.detached {
            let octets = [UInt8](output.fileHandleForReading.readDataToEndOfFile())
            process.waitUntilExit()
            return octets
        }.value
    }

    // MARK: Who asks

    @Test func `a key in an address opens nothing, and is in no log`() async throws {
        try await APIFixture.withCustomer { fixture, customer, _ in
            let log = CapturedLog()
            log.logger.trace("it begins")
            try await fixture.withPages(logger: log.logger) { api in
                for path in [
                    "/v1/credits?key=\(customer.key)", "/v1/credits?api_key=\(customer.key)",
                    "/v1/credits?access_token=\(customer.key)", "/v1/credits?token=\(customer.key)",
                    "/v1/credits?authorization=Bearer%20\(customer.key)", "/v1/credits/\(customer.key)",
                    "/v1/\(customer.key)/credits",
                ] { try await api.get(path).expectProblem(401, "unauthorized") }
                for headers in [
                    ["Authorization": customer.key], ["Authorization": "Token \(customer.key)"],
                    ["Authorization": "Basic \(Data("\(customer.key):".utf8).base64EncodedString())"],
                    ["X-API-Key": customer.key], ["Cookie": "key=\(customer.key)"],
                    ["Cookie": "__Host-sluice-token=\(customer.key)"],
                    ["Proxy-Authorization": "Bearer \(customer.key)"],
                ] { try await api.call(.get, "/v1/credits", headers: headers).expectProblem(401, "unauthorized") }
            }
            #expect(log.text.contains("it begins"), "nothing is captured, so nothing is searched")
            #expect(!log.text.contains(customer.key.dropFirst(12)))
        }
    }

    @Test func `a host that lies makes no page ours`() async throws {
        let fixture = try await APIFixture.shared()
        let customer = try await fixture.customer()
        let owner = try await fixture.user(.member(customer.account, .owner))
        let browser = try await fixture.withPages { try await fixture.signIn(owner, $0) }
        try await fixture.withServer(publicURL: Browser.origin) { port in
            func status(_ lies: String) async throws -> Int? {
                let body = #"{"name": "n", "scopes": ["credits:read"]}"#
                let connection = try RawConnection(port: port)
                try await connection.write(
                    "POST /v1/keys HTTP/1.1\r\n\(lies)Cookie: \(browser.fields["Cookie"] ?? "")\r\n"
                        + "X-CSRF-Token: \(browser.proof)\r\nContent-Type: application/json\r\n"
                        + "Content-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n\(body)")
                return try await connection.read().rawStatus
            }
            let before = try await fixture.count("api_keys", customer.account)
            for lies in [
                "Host: attacker.example\r\nOrigin: https://attacker.example\r\n",
                "Host: attacker.example\r\nOrigin: http://attacker.example\r\n",
                "Host: mail.example.com.attacker.example\r\nOrigin: https://mail.example.com.attacker.example\r\n",
                "Host: mail.example.com\r\nX-Forwarded-Host: attacker.example\r\nOrigin: https://attacker.example\r\n",
                "Host: attacker.example\r\nForwarded: host=attacker.example\r\nOrigin: https://attacker.example\r\n",
                "Host: mail.example.com\r\nOrigin: https://attacker.example\r\nReferer: \(Browser.origin)/\r\n",
                "Host: mail.example.com\r\nReferer: \(Browser.origin)/\r\n",
            ] { #expect(try await status(lies) == 403, "\(lies)") }
            // Two origins, of which one is ours.
            let two = "Host: mail.example.com\r\nOrigin: \(Browser.origin)\r\nOrigin: https://attacker.example\r\n"
            #expect(try await status(two) == 403)
            #expect(try await fixture.count("api_keys", customer.account) == before)
            // A host that nobody knows changes nothing where the page is ours.
            #expect(try await status("Host: attacker.example\r\nOrigin: \(Browser.origin)\r\n") == 201)
        }
    }

    @Test func `addresses that a stranger makes up bring no further attempts to sign in`() async throws {
        let fixture = try await APIFixture.make()
        let customer = try await fixture.customer()
        let owner = try await fixture.user(.member(customer.account, .owner))
        let body = #"{"email": "\#(owner.address.text)", "password": "rope lantern 42 goose"}"#
        try await fixture.withAPI(behind: APIExposure(proxies: [])) { api in
            for number in 0..<5 {
                try await api.call(
                    .post, "/v1/session", body: body, headers: ["X-Forwarded-For": "192.0.2.\(number)"]
                ).expectProblem(401, "sign_in_refused")
            }
            for field in ["X-Forwarded-For", "X-Real-IP", "Forwarded", "True-Client-IP", "CF-Connecting-IP"] {
                try await api.call(.post, "/v1/session", body: body, headers: [field: "192.0.2.99"])
                    .expectProblem(429, "too_many_sign_ins")
            }
        }
    }

    // MARK: Idempotency keys

    @Test func `an idempotency key of 300 characters, of octets, or with what breaks a header is refused`() async throws
    {
        let fixture = try await APIFixture.shared()
        let customer = try await fixture.customer()
        let before = try await fixture.state(customer.account)
        try await fixture.withServer { port in
            func answer(_ key: String) async throws -> String {
                let connection = try RawConnection(port: port)
                try await connection.write(
                    "POST /v1/campaigns HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer \(customer.key)\r\n"
                        + "Content-Type: application/json\r\nContent-Length: \(API.draft.utf8.count)\r\n"
                        + "Idempotency-Key: \(key)\r\nConnection: close\r\n\r\n\(API.draft)")
                return try await connection.read()
            }
            for key in [
                String(repeating: "k", count: 300), String(repeating: "k", count: 60_000), "k\u{7F}", "k\u{1}",
                "k\u{80}",
                "k\u{FEFF}", "k\tk", "käse", "🔑",
            ] {
                let text = try await answer(key)
                #expect(text.rawStatus == 400, "\(key.prefix(20)): \(text.prefix(200))")
            }
            // Two of them are none.
            let two = try await answer("a\r\nIdempotency-Key: b")
            #expect(two.rawStatus == 400, "\(two.prefix(200))")
        }
        #expect(try await fixture.state(customer.account) == before)
    }

    @Test func `an idempotency key of another account tells nothing of its answer`() async throws {
        try await APIFixture.withCustomer { fixture, customer, api in
            let key = "k-\(UInt64.random(in: 0 ... .max))"
            let theirs = try await api.post("/v1/campaigns", API.draft, idempotencyKey: key)
            let other = try await fixture.customer()
            let stranger = API(client: api.client, key: other.key)
            // Another body under the same key: were it one key for both, this would be a conflict.
            let body = API.draft.replacing("An offer.", with: "Another offer.")
            let ours = try await stranger.post("/v1/campaigns", body, idempotencyKey: key)
            #expect(ours.status == 201 && !ours.isReplayed)
            #expect(ours.json["id"] != theirs.json["id"])
            #expect(try await api.post("/v1/campaigns", API.draft, idempotencyKey: key).text == theirs.text)
            #expect(try await stranger.post("/v1/campaigns", body, idempotencyKey: key).text == ours.text)
        }
    }
}
