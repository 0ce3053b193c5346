import HTTPTypes
import Testing

@testable import HTTPAPI

/// What browsers are told of other people's pages.
@Suite struct CrossOriginTests {
    private static let page = "https://app.example.com"
    private static let ask = [
        "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization",
    ]

    private static func withPages(
        _ origins: Set<String>, _ body: @Sendable (API) async throws -> Void
    ) async throws {
        let fixture = try await APIFixture.shared()
        let customer = try await fixture.customer()
        try await fixture.withAPI(behind: APIExposure(origins: CrossOrigins(origins))) {
            try await body(API(client: $0.client, key: customer.key))
        }
    }

    private static func expectNothing(_ answer: Answer, sourceLocation: SourceLocation = #_sourceLocation) {
        let told = answer.headers.filter { $0.name.canonicalName.hasPrefix("access-control-") }
        #expect(told.isEmpty, "\(told)", sourceLocation: sourceLocation)
    }

    @Test func `a page on the list may ask and call, also where it is refused`() async throws {
        try await Self.withPages([Self.page, "https://other.example.com:8443"]) { api in
            let stranger = API(client: api.client)
            for origin in [Self.page, "https://other.example.com:8443"] {
                let headers = ["Origin": origin]
                // Browsers ask without a key.
                let asked = try await stranger.call(
                    .options, "/v1/campaigns", headers: headers.merging(Self.ask) { $1 })
                #expect(asked.status == 204 && asked.text.isEmpty)
                #expect(asked.headers[.accessControlAllowOrigin] == origin)
                #expect(asked.headers[.accessControlAllowMethods] == "GET, HEAD, POST, PATCH, DELETE")
                #expect(asked.headers[.accessControlAllowHeaders]?.contains("Authorization") == true)
                #expect(asked.headers[.accessControlMaxAge] == "7200")
                asked.expectHeaders()
                for answer in [
                    try await api.call(.get, "/v1/credits", headers: headers),
                    try await stranger.call(.get, "/v1/credits", headers: headers),
                    try await api.call(.get, "/v1/nothing", headers: headers),
                ] {
                    #expect(answer.headers[.accessControlAllowOrigin] == origin)
                    #expect(answer.headers[.accessControlExposeHeaders]?.contains("RateLimit") == true)
                    #expect(answer.headers[values: .vary].contains("Origin"))
                    #expect(answer.headers[.accessControlAllowCredentials] == nil)
                }
            }
        }
    }

    @Test(arguments: [
        "https://app.example.com.evil.example", "http://app.example.com", "https://app.example.com:8443", "null", "*",
        "https://APP.example.com", "https://evil.example", "https://app.example.com, https://evil.example", "",
    ])
    func `any other page gets nothing`(_ origin: String) async throws {
        try await Self.withPages([Self.page]) { api in
            let asked = try await API(client: api.client).call(
                .options, "/v1/campaigns", headers: ["Origin": origin].merging(Self.ask) { $1 })
            asked.expectProblem(401, "unauthorized")
            Self.expectNothing(asked)
            let called = try await api.call(.get, "/v1/credits", headers: ["Origin": origin])
            #expect(called.status == 200)
            Self.expectNothing(called)
            // A cache must not hand this answer to the page on the list.
            #expect(called.headers[values: .vary].contains("Origin"))
        }
    }

    @Test func `nobody is on the list by default, and only the API is called`() async throws {
        try await Self.withPages([]) { api in
            let called = try await api.call(.get, "/v1/credits", headers: ["Origin": Self.page])
            Self.expectNothing(called)
            #expect(called.headers[.vary] == nil)
        }
        try await Self.withPages([Self.page]) { api in
            for path in ["/health", "/openapi.yaml", "/u/none"] {
                let headers = ["Origin": Self.page]
                Self.expectNothing(try await api.call(.get, path, headers: headers))
                let asked = try await api.call(.options, path, headers: headers.merging(Self.ask) { $1 })
                asked.expectProblem(405, "method_not_allowed")
                Self.expectNothing(asked)
            }
            // Without the question it is no preflight.
            let plain = try await API(client: api.client).call(.options, "/v1/credits", headers: ["Origin": Self.page])
            plain.expectProblem(401, "unauthorized")
        }
    }
}
