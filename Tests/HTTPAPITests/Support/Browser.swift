import HTTPAPI
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Identity
import Logging
import MailTypes
import TestSupport
import Testing
import Vault

/// A person who has signed in, as their browser sends requests.
struct Browser: Sendable {
    static let origin = "https://mail.example.com"
    static let password = "violet tram 19 eats soup"

    let api: API
    let user: User
    var session: String
    var token: String
    var refresh: String
    var proof: String

    /// What it sends with each request.
    var fields: [String: String] {
        [
            "Cookie": "__Host-sluice-token=\(token); theme=dark; __Host-sluice-refresh=\(refresh)",
            "Origin": Self.origin, "X-CSRF-Token": proof,
        ]
    }

    /// - Parameter with: further fields of the request; an empty value leaves out the one that is sent otherwise.
    func call(
        _ method: HTTPRequest.Method, _ path: String, _ body: String? = nil, idempotencyKey: String? = nil,
        with headers: [String: String] = [:]
    ) async throws -> Answer {
        let all = fields.merging(headers) { $1 }
        return try await api.call(
            method, path, body: body, idempotencyKey: idempotencyKey, headers: all.filter { $0.value != "" })
    }

    func get(_ path: String) async throws -> Answer { try await call(.get, path) }
}

extension Answer {
    /// The value of a cookie that the answer sets.
    func cookie(_ name: String) -> String? {
        headers[values: .setCookie].lazy.compactMap { field in
            guard field.hasPrefix("__Host-sluice-\(name)=") else { return nil }
            return field.drop { $0 != "=" }.dropFirst().prefix { $0 != ";" }.description
        }.first
    }
}

extension APIFixture {
    /// The API as it is behind ``Browser/origin``.
    func withPages<Value>(
        logger: Logger = .silent, _ body: @Sendable (API) async throws -> Value
    ) async throws -> Value {
        let router = APIServer.router(services, exposure: APIExposure(publicURL: Browser.origin))
        return try await Application(router: router, logger: logger).test(.router) { client in
            try await body(API(client: client))
        }
    }

    /// A user with an address of their own; the first of an account must be its owner.
    func user(_ kind: UserKind) async throws -> User {
        try await users.create(
            kind, address: "user-\(UInt64.random(in: .min ... .max))@example.org", password: Browser.password)
    }

    func signIn(_ user: User, _ api: API) async throws -> Browser {
        let answer = try await api.post(
            "/v1/session", #"{"email": "\#(user.address.text)", "password": "\#(Browser.password)"}"#)
        guard answer.status == 201, let session = answer.json["session"].string, let token = answer.cookie("token"),
            let refresh = answer.cookie("refresh"), let proof = answer.json["csrf_token"].string
        else { throw Unexpected(answer: answer) }
        return Browser(api: api, user: user, session: session, token: token, refresh: refresh, proof: proof)
    }

    /// The owner of a fresh customer's account, signed in.
    static func withOwner<Value>(
        _ body: @Sendable (APIFixture, Customer, Browser) async throws -> Value
    ) async throws -> Value {
        let fixture = try await shared()
        let customer = try await fixture.customer()
        let owner = try await fixture.user(.member(customer.account, .owner))
        return try await fixture.withPages { api in
            try await body(fixture, customer, try await fixture.signIn(owner, api))
        }
    }
}
