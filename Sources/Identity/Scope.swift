/// What a key may be used for. Each route of the API needs one.
///
/// The raw value is stored and published: `campaigns:read`. What stands before the colon is the resource.
package enum Scope: String, Sendable, Hashable, CaseIterable {
    case campaignsRead = "campaigns:read"
    /// Drafts and their recipients: what spends nothing.
    case campaignsWrite = "campaigns:write"
    /// Sending, and what steers it: pausing, resuming, cancelling.
    case campaignsSend = "campaigns:send"
    /// Single messages. No route of this version needs it.
    case messagesSend = "messages:send"
    case suppressionsRead = "suppressions:read"
    case suppressionsWrite = "suppressions:write"
    case domainsRead = "domains:read"
    case domainsWrite = "domains:write"
    case webhooksRead = "webhooks:read"
    case webhooksWrite = "webhooks:write"
    case creditsRead = "credits:read"
    case limitsRead = "limits:read"
    case keysRead = "keys:read"
    case keysWrite = "keys:write"

    /// `campaigns`
    var resource: String { String(rawValue.prefix { $0 != ":" }) }
}

/// The scopes of a key: names of scopes, `campaigns:*` for all of a resource, `*` for all.
package struct KeyScopes: Sendable, Hashable {
    /// As they are stored and shown, each once, sorted.
    package let names: [String]

    /// Everything, also what later versions add. Keys that were made before there were scopes have this.
    package static let all = KeyScopes(sorted: [everything])

    /// - Throws: ``IdentityError/invalidScopes`` where there is none, or one that is not known.
    package init(_ names: [String]) throws(IdentityError) {
        let known = Scope.allCases.flatMap { [$0.rawValue, $0.resource + Self.wildcard] } + [Self.everything]
        guard !names.isEmpty, names.count <= known.count, names.allSatisfy(known.contains) else {
            throw .invalidScopes
        }
        self.init(sorted: Set(names).sorted())
    }

    /// As they are in the records, where a newer version may have put names that this one does not know: they allow
    /// nothing here.
    init(stored names: [String]?) {
        self = names.map { KeyScopes(sorted: $0) } ?? .all
    }

    private init(sorted names: [String]) { self.names = names }

    package func allows(_ scope: Scope) -> Bool { covers(scope.rawValue) }

    /// Whether everything that the others allow is allowed here, now and in later versions.
    func allow(_ others: KeyScopes) -> Bool { others.names.allSatisfy(covers) }

    /// - Parameter name: one of ``names``.
    private func covers(_ name: String) -> Bool {
        names.contains { $0 == name || $0 == Self.everything || $0 == name.prefix { $0 != ":" } + Self.wildcard }
    }

    private static let everything = "*"
    private static let wildcard = ":*"
}
