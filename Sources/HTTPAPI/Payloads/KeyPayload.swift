import Foundation
package import Identity
import MailTypes
import Postgres

/// The body of `POST /v1/keys`.
struct KeyPayload: StrictPayload {
    let name: String
    let scopes: [String]
    /// Anywhere where none is named.
    let networks: [String]?
    let expiresAt: String?
    /// A test key; by default what the caller is.
    let test: Bool?

    enum CodingKeys: String, CodingKey, CaseIterable {
        case name, scopes, networks, test
        case expiresAt = "expires_at"
    }

    /// - Throws: ``Problem``, `IdentityError`
    func terms() throws -> KeyTerms {
        KeyTerms(
            scopes: try KeyScopes(scopes), networks: try KeyTerms.networks(networks ?? []),
            expiresAt: try expiresAt.map { text in
                guard let time = InternetTime.date(text) else {
                    throw Problem.invalid(
                        "invalid_field", "expires_at is a time such as 2027-02-03T04:05:06Z.", fields: ["expires_at"])
                }
                return PostgresTimestamp(seconds: Int64(time.timeIntervalSince1970))
            })
    }
}

extension APIKeyRecord {
    /// - Parameter key: shown once, when it is made; nil where that is past.
    package func json(key: APIKey?? = nil) -> String {
        var json = JSONText()
        json.beginObject()
        json.member("id", id.description)
        json.member("name", name)
        json.member("test", isTest)
        json.member("masked", displayPrefix + "…")
        json.member("scopes", terms.scopes.names)
        json.member("networks", terms.networks.map(\.description))
        json.member("expires_at", terms.expiresAt?.text)
        json.member("requests_per_minute", requestsPerMinute.map { Int64($0) })
        json.member("created_at", createdAt.text)
        json.member("last_used_at", lastUsedAt?.text)
        json.member("revoked_at", revokedAt?.text)
        if let key { json.member("key", key?.exposed) }
        json.endObject()
        return json.text
    }
}
