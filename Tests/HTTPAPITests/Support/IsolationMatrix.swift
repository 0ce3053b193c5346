import HTTPAPI
import HTTPTypes
import Identity
import MailTypes
import Testing

/// Every operation of docs/openapi.yaml with every kind of identifier, one's own, another account's and nobody's; by a key
/// that is for the operation and by one that is for everything else.
struct IsolationMatrix {
    /// What an operation is asked with, beside its path.
    struct Input: Sendable {
        var body: String?
        var type = "application/json"
        /// Beside none.
        var queries: [String] = []
        /// Goes on as long as its campaign runs.
        var isStream = false
    }

    enum Whose: Sendable { case own, foreign, unknown }

    /// Who may ask for an operation.
    enum Caller: Sendable {
        case anybody
        case key(Scope)
        /// Who has signed in. No key may.
        case person
    }

    struct Probe: Sendable, CustomStringConvertible {
        let operation: String
        let method: HTTPRequest.Method
        /// With its query.
        let path: String
        let input: Input
        let whose: Whose
        /// In the order of the path's parameters.
        let ids: [String]
        /// Of the key that is shown; nil: none is.
        var scope: Scope?
        /// Whether the key is for all but this operation.
        var isOutOfScope = false
        var idempotencyKey: String?

        var description: String { "\(method) \(path)" + (isOutOfScope ? " out of scope" : "") }

        /// All that the caller has said itself.
        var said: String { path + (input.body ?? "") }
    }

    /// Each operation has its line here, or the matrix fails.
    ///
    /// - Parameter other: the account that is not to be reached.
    static func inputs(naming other: Tenant) -> [String: Input] {
        func id(_ kind: Tenant.Kind) -> String { other.ids[kind]?.first ?? "" }
        let json = Input(body: "{}")
        let address = id(.address)
        return [
            "POST /v1/campaigns": Input(body: API.draft),
            "GET /v1/campaigns": Input(queries: ["after=cmp_zzzzzzzzzzzzz", "after=\(id(.campaign))"]),
            "GET /v1/campaigns/{id}": Input(),
            "DELETE /v1/campaigns/{id}": Input(),
            "POST /v1/campaigns/{id}/recipients": Input(body: API.lines(1, from: 900), type: "application/x-ndjson"),
            "GET /v1/campaigns/{id}/recipients": Input(queries: ["outcome=bounced"]),
            "GET /v1/campaigns/{id}/outcomes": Input(),
            "GET /v1/campaigns/{id}/quote": Input(),
            "POST /v1/campaigns/{id}/send": json,
            "POST /v1/campaigns/{id}/pause": Input(),
            "POST /v1/campaigns/{id}/resume": Input(),
            "POST /v1/campaigns/{id}/cancel": Input(),
            "GET /v1/campaigns/{id}/events": Input(isStream: true),
            "GET /v1/campaigns/{id}/certificate": Input(),
            "GET /v1/mailbox-providers": Input(),
            "GET /v1/credits": Input(),
            "GET /v1/credits/entries": Input(queries: ["after=2"]),
            "GET /v1/suppressions": Input(queries: ["address=\(address)", "reason=manual"]),
            "POST /v1/suppressions": Input(body: #"{"addresses": ["matrix@example.org"]}"#),
            "POST /v1/suppressions/import": Input(body: "email\nmatrix@example.org\n", type: "text/csv"),
            "GET /v1/suppressions/export": Input(),
            "DELETE /v1/suppressions/{address}": Input(),
            "GET /v1/domains": Input(),
            "POST /v1/domains": Input(body: #"{"domain": "matrix.example"}"#),
            "GET /v1/domains/{domain}": Input(),
            "DELETE /v1/domains/{domain}": Input(),
            "GET /v1/domains/{domain}/reports": Input(),
            "POST /v1/domains/{domain}/verify": Input(),
            "POST /v1/domains/{domain}/keys": Input(body: #"{"algorithm": "ed25519-sha256"}"#),
            "DELETE /v1/domains/{domain}/keys/{selector}": Input(),
            "GET /v1/webhooks": Input(),
            "POST /v1/webhooks": Input(body: #"{"url": "https://hooks.example.org/in"}"#),
            "GET /v1/webhooks/{id}": Input(),
            "PATCH /v1/webhooks/{id}": Input(body: #"{"description": "taken", "state": "disabled"}"#),
            "DELETE /v1/webhooks/{id}": Input(),
            "POST /v1/webhooks/{id}/rotate": json,
            "POST /v1/webhooks/{id}/test": Input(),
            "POST /v1/webhooks/{id}/replay": Input(body: #"{"since": "2026-01-01T00:00:00Z"}"#),
            "GET /v1/webhooks/{id}/attempts": Input(),
            "GET /v1/keys": Input(queries: ["after=\(id(.key))"]),
            "POST /v1/keys": Input(body: #"{"name": "n", "scopes": ["keys:write"]}"#),
            "GET /v1/keys/{id}": Input(),
            "DELETE /v1/keys/{id}": Input(),
            "GET /v1/members": Input(),
            "PATCH /v1/members/{id}": Input(body: #"{"role": "viewer"}"#),
            "DELETE /v1/members/{id}": Input(),
            "DELETE /v1/members/{id}/sessions": Input(),
            "GET /v1/sessions": Input(queries: ["after=\(id(.session))", "user=\(id(.member))"]),
            "DELETE /v1/sessions": Input(),
            "DELETE /v1/sessions/{id}": Input(),
            "GET /v1/account": Input(),
            "PATCH /v1/account": Input(body: #"{"second_factor_required": true}"#),
            "GET /v1/invitations": Input(),
            "POST /v1/invitations": Input(body: #"{"email": "matrix@people.example", "role": "viewer"}"#),
            "DELETE /v1/invitations/{id}": Input(),
            "POST /v1/membership": Input(body: #"{"secret": "none", "password": "not that of \(id(.user))"}"#),
            "DELETE /v1/membership": Input(),
            "GET /v1/limits": Input(),
            "POST /v1/session": Input(body: #"{"email": "\(id(.user))", "password": "not that of \(id(.user))"}"#),
            "POST /v1/session/second-factor": Input(body: #"{"code": "000000"}"#),
            "POST /v1/session/code": Input(body: #"{"code": "123456"}"#),
            "POST /v1/password/code": Input(body: #"{"email": "\(id(.user))"}"#),
            "POST /v1/password": Input(body: #"{"code": "123456", "password": "not that of \(id(.user))"}"#),
            "POST /v1/signup": Input(
                body: #"{"email": "\(id(.user))", "password": "not that of them", "account": "Matrix"}"#),
            "POST /v1/signup/code": Input(body: #"{"code": "123456"}"#),
            "GET /v1/session": Input(),
            "DELETE /v1/session": Input(),
            "GET /v1/me/sessions": Input(),
            "DELETE /v1/me/sessions": Input(),
            "DELETE /v1/me/sessions/{id}": Input(),
            "GET /v1/me/second-factor": Input(),
            "POST /v1/me/second-factor": Input(body: #"{"password": "not that of \(id(.user))"}"#),
            "POST /v1/me/second-factor/confirm": Input(body: #"{"code": "000000"}"#),
            "POST /v1/me/second-factor/disable": Input(body: #"{"code": "000000"}"#),
            "POST /v1/me/recovery-codes": Input(body: #"{"recovery_code": "0000-0000-0000-0000"}"#),
            "POST /v1/feedback/{provider}/{secret}": Input(body: "[]"),
            "GET /u/{token}": Input(),
            "POST /u/{token}": Input(),
            "GET /join": Input(),
            "GET /sign-in": Input(),
            "GET /password": Input(),
            "GET /sign-up": Input(),
            "GET /pages.js": Input(),
            "GET /health": Input(),
            "GET /openapi.yaml": Input(),
        ]
    }

    let probes: [Probe]

    /// - Parameters:
    ///   - own: who asks.
    ///   - other: whose things are asked for.
    init(_ document: DocumentScanner, own: Tenant, other: Tenant) throws {
        let inputs = Self.inputs(naming: other)
        // Reading goes first, and what deletes last.
        let order = ["GET", "POST", "PATCH", "DELETE"]
        let operations = document.operations.sorted { one, next in
            let places = [one, next].map { name in order.firstIndex { name.hasPrefix($0 + " ") } ?? order.count }
            return places[0] == places[1] ? one < next : places[0] < places[1]
        }
        probes = try operations.flatMap { operation in
            let input = try #require(inputs[operation], "the matrix has no line for \(operation)")
            return try Self.probes(operation, try Self.caller(of: operation, document), input, own: own, other: other)
        }
    }

    /// What the document asks of a caller.
    private static func caller(of operation: String, _ document: DocumentScanner) throws -> Caller {
        let line = try #require(
            document.operation(operation).first { $0.hasPrefix("      security:") }, "\(operation) says no security")
        switch line {
        case "      security: []": return .anybody
        case let line where line.hasPrefix("      security: [{ session: ["): return .person
        default:
            let named = Scope.allCases.first { line.contains("{ key: [\"\($0.rawValue)\"] }") }
            let scope: Scope = try #require(named, "\(line)")
            return .key(scope)
        }
    }

    private static func probes(
        _ operation: String, _ caller: Caller, _ input: Input, own: Tenant, other: Tenant
    ) throws -> [Probe] {
        let scope: Scope? = if case .key(let scope) = caller { scope } else { nil }
        let parts = operation.split(separator: " ")
        let segments = parts[1].split(separator: "/")
        let kinds = try segments.filter { $0.hasPrefix("{") }.map {
            try #require(Tenant.Kind(parameter: $0, of: parts[1]), "\($0) of \(operation) is of no known kind")
        }
        let method = try #require(HTTPRequest.Method(String(parts[0])))
        func probe(_ whose: Whose, _ ids: [String], _ query: String? = nil) -> Probe {
            var left = ids[...]
            let path = segments.map { $0.hasPrefix("{") ? left.popFirst() ?? "" : String($0) }.joined(separator: "/")
            return Probe(
                operation: operation, method: method, path: "/" + path + (query.map { "?" + $0 } ?? ""), input: input,
                whose: whose, ids: ids, scope: scope)
        }
        func ids(_ tenant: Tenant, _ kind: Tenant.Kind) -> [String] {
            input.isStream && kind == .campaign ? tenant.ended : tenant.ids[kind] ?? []
        }
        guard let first = kinds.first else {
            let plain = [probe(.own, [])] + input.queries.map { probe(.own, [], $0) }
            return plain + repeated(plain[0]) + outOfScope(plain[0], caller)
        }
        let rest = kinds.dropFirst()
        func all(_ tenant: Tenant, _ whose: Whose) -> [Probe] {
            ids(tenant, first).flatMap { id in
                let path = [id] + rest.map { ids(tenant, $0).first ?? $0.unknown }
                return [probe(whose, path)] + input.queries.map { probe(whose, path, $0) }
            }
        }
        let foreign = all(other, .foreign)
        let unknown = probe(.unknown, kinds.map(\.unknown))
        // Identifiers of another kind, in the place of this one's.
        let misplaced = Tenant.Kind.allCases.filter { $0 != first }.compactMap { other.ids[$0]?.first }.map {
            probe(.foreign, [$0] + rest.map(\.unknown))
        }
        return foreign + [unknown] + misplaced + (foreign.first.map { repeated($0) + outOfScope($0, caller) } ?? [])
            + all(own, .own)
    }

    /// Under an idempotency key that the other account has used as well.
    private static func repeated(_ probe: Probe) -> [Probe] {
        guard probe.method == .post, probe.scope != nil else { return [] }
        var probe = probe
        probe.idempotencyKey = "shared"
        return [probe]
    }

    private static func outOfScope(_ probe: Probe, _ caller: Caller) -> [Probe] {
        var probe = probe
        probe.isOutOfScope = true
        switch caller {
        case .anybody: return []
        case .key: return [probe]
        case .person:
            return Scope.allCases.map { scope in
                probe.scope = scope
                return probe
            }
        }
    }
}
