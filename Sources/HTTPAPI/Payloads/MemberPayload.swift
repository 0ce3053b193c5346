package import Identity
import MailTypes

/// The body of `PATCH /v1/members/{id}`.
struct MemberChangePayload: StrictPayload {
    let role: String

    enum CodingKeys: String, CodingKey, CaseIterable {
        case role
    }

    func roleToGive() throws -> Role { try Role(given: role) }
}

/// The body of `PATCH /v1/account`.
struct AccountChangePayload: StrictPayload {
    let secondFactorRequired: Bool

    enum CodingKeys: String, CodingKey, CaseIterable {
        case secondFactorRequired = "second_factor_required"
    }
}

/// The body of `POST /v1/invitations`.
struct InvitationPayload: StrictPayload {
    let email: String
    let role: String

    enum CodingKeys: String, CodingKey, CaseIterable {
        case email, role
    }

    func roleToGive() throws -> Role { try Role(given: role) }
}

/// The body of `POST /v1/membership`.
struct JoiningPayload: StrictPayload {
    let secret: String
    let name: String?
    let password: String

    enum CodingKeys: String, CodingKey, CaseIterable {
        case secret, name, password
    }
}

extension Role {
    /// - Throws: ``Problem``
    fileprivate init(given name: String) throws {
        guard let role = Role(rawValue: name) else {
            throw Problem.invalid(
                "invalid_field", "role is one of \(Role.allCases.map(\.rawValue).joined(separator: ", ")).",
                fields: ["role"])
        }
        self = role
    }
}

extension Invitation {
    package func json() -> String {
        var json = JSONText()
        json.beginObject()
        json.member("id", id.description)
        json.member("email", address.text)
        json.member("role", role.rawValue)
        json.member("inviter", inviter?.description)
        json.member("created_at", createdAt.text)
        json.member("expires_at", expiresAt.text)
        json.member("mailed_at", mailedAt?.text)
        json.endObject()
        return json.text
    }
}
