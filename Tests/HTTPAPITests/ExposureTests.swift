import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Identity
import MailTypes
import TestSupport
import Testing

@testable import HTTPAPI

/// What is believed of proxies, and what plain HTTP gets.
@Suite struct ExposureTests {
    private static func client(
        _ peer: String?, forwardedFor: [String] = [], proto: String? = nil, hasTLS: Bool = false,
        proxies: [String] = ["10.0.0.0/8", "2001:db8::1"]
    ) throws -> APIClientOrigin {
        var headers = HTTPFields()
        for value in forwardedFor { headers.append(HTTPField(name: .forwardedFor, value: value)) }
        if let proto { headers[.forwardedProto] = proto }
        let request = Request(
            head: HTTPRequest(method: .get, scheme: nil, authority: nil, path: "/", headerFields: headers),
            body: RequestBody(buffer: ByteBuffer()))
        return APIExposure(hasTLS: hasTLS, proxies: try KeyTerms.networks(proxies))
            .client(of: request, peer: peer.flatMap { IPAddress($0) })
    }

    @Test(
        arguments: [
            // From strangers the field says nothing.
            ("203.0.113.9", ["192.0.2.1"], "203.0.113.9"), ("203.0.113.9", [], "203.0.113.9"),
            ("127.0.0.1", ["192.0.2.1"], "127.0.0.1"),
            // What a proxy has written last counts.
            ("10.1.1.1", ["192.0.2.1"], "192.0.2.1"), ("10.1.1.1", ["198.51.100.7, 192.0.2.1"], "192.0.2.1"),
            ("10.1.1.1", ["198.51.100.7", "192.0.2.1"], "192.0.2.1"), ("2001:db8::1", [" 192.0.2.1 "], "192.0.2.1"),
            ("::ffff:10.1.1.1", ["192.0.2.1"], "192.0.2.1"), ("10.1.1.1", ["[2001:db8::9]"], "2001:db8::9"),
            // Through several of them, and no further than the first stranger.
            ("10.1.1.1", ["198.51.100.7, 192.0.2.1, 10.2.2.2"], "192.0.2.1"), ("10.1.1.1", ["10.2.2.2"], "10.2.2.2"),
            ("10.1.1.1", [], "10.1.1.1"),
            // A proxy that writes nonsense names nobody.
            ("10.1.1.1", ["unknown"], nil), ("10.1.1.1", ["192.0.2.1, junk"], nil),
            ("10.1.1.1", ["junk, 192.0.2.1"], "192.0.2.1"), (nil, ["192.0.2.1"], nil),
        ] as [(String?, [String], String?)]) func `who asks`(_ peer: String?, _ fields: [String], _ client: String?)
        throws
    {
        #expect(try Self.client(peer, forwardedFor: fields).address == client.flatMap { IPAddress($0) })
    }

    @Test func `nobody's word counts where no proxy is declared`() throws {
        for peer in ["127.0.0.1", "10.1.1.1", "::1", "192.168.0.1"] {
            let client = try Self.client(peer, forwardedFor: ["192.0.2.1"], proto: "https", proxies: [])
            #expect(client == APIClientOrigin(address: IPAddress(peer), transport: .unknown))
        }
    }

    @Test func `how it travelled`() throws {
        #expect(try Self.client("10.1.1.1", proto: "https").transport == .encrypted)
        #expect(try Self.client("10.1.1.1", proto: "HTTP").transport == .plain)
        #expect(try Self.client("10.1.1.1").transport == .unknown)
        #expect(try Self.client("203.0.113.9", proto: "https").transport == .unknown)
        #expect(try Self.client("203.0.113.9", proto: "http", hasTLS: true).transport == .encrypted)
        #expect(try Self.client("10.1.1.1", proto: "http", hasTLS: true).transport == .encrypted)
    }

    @Test func `what a proxy took over plain HTTP is refused, and only TLS is promised`() async throws {
        let fixture = try await APIFixture.shared()
        let customer = try await fixture.customer()
        let exposure = APIExposure(proxies: try KeyTerms.networks(["127.0.0.1", "::1"]))
        try await fixture.withAPI(behind: exposure) { stranger in
            let api = API(client: stranger.client, key: customer.key)
            let plain = try await api.call(.get, "/v1/credits", headers: ["X-Forwarded-Proto": "http"])
            plain.expectProblem(403, "https_required")
            #expect(plain.headers[.strictTransportSecurity] == nil)
            for path in ["/v1/credits", "/v1/nothing", "/health", "/u/none", "/nothing"] {
                let answer = try await api.call(.get, path, headers: ["X-Forwarded-Proto": "https"])
                #expect(answer.headers[.strictTransportSecurity] == "max-age=31536000; includeSubDomains", "\(path)")
                answer.expectHeaders()
                #expect(try await api.get(path).headers[.strictTransportSecurity] == nil)
            }
        }
    }

    // MARK: The listener for plain HTTP

    private static func withPlainListener(
        _ publicURL: String?, _ body: @Sendable (API) async throws -> Void
    ) async throws {
        let application = Application(router: PlainRequests.router(publicURL: publicURL), logger: .silent)
        try await application.test(.router) { try await body(API(client: $0, key: "sl_live_secret")) }
    }

    private static let pages = ["/join", "/sign-in", "/password", "/sign-up"]

    @Test func `pages are redirected to the public URL, calls are refused`() async throws {
        try await Self.withPlainListener("https://mail.example.net") { api in
            let page = try await api.call(.get, "/u/token?x=1", headers: ["Host": "evil.example"])
            #expect(page.status == 308)
            #expect(page.headers[.location] == "https://mail.example.net/u/token")
            page.expectHeaders()
            #expect(page.headers[.strictTransportSecurity] == nil)
            #expect(try await api.call(.head, "/u/token").status == 308)
            for path in Self.pages {
                #expect(try await api.get(path).headers[.location] == "https://mail.example.net\(path)")
                try await api.post(path).expectProblem(403, "https_required")
            }
            for (method, path) in APIOperation.allCases.map({ ($0.method, $0.samplePath) })
            where !(method == .get && (path.hasPrefix("/u/") || Self.pages.contains(path))) {
                let answer = try await api.call(method, path)
                answer.expectProblem(403, "https_required")
                #expect(answer.headers[.location] == nil && !answer.text.contains("sl_live_secret"))
            }
            for path in ["/", "/nothing/at/all"] { try await api.get(path).expectProblem(403, "https_required") }
        }
    }

    @Test func `without a public URL nobody is redirected`() async throws {
        try await Self.withPlainListener(nil) { api in
            try await api.get("/u/token").expectProblem(403, "https_required")
        }
    }
}
