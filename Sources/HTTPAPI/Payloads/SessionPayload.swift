package import Identity
import MailTypes

/// The body of `POST /v1/session`.
struct SignInPayload: StrictPayload {
    let email: String
    let password: String

    enum CodingKeys: String, CodingKey, CaseIterable {
        case email, password
    }
}

extension SignInStep {
    static var json: String {
        var json = JSONText()
        json.beginObject()
        json.member("second_factor", ["code", "recovery_code"])
        json.member("expires_in", PeopleLimits.stepSeconds)
        json.endObject()
        return json.text
    }
}

/// The body of `POST /v1/session/code` and `POST /v1/signup/code`.
struct MailCodePayload: StrictPayload {
    let code: String

    enum CodingKeys: String, CodingKey, CaseIterable {
        case code
    }
}

/// The body of `POST /v1/signup`.
struct SignUpPayload: StrictPayload {
    let email: String
    let password: String
    /// What the account is to be called.
    let account: String

    enum CodingKeys: String, CodingKey, CaseIterable {
        case email, password, account
    }
}

/// The body of `POST /v1/password/code`.
struct PasswordCodePayload: StrictPayload {
    let email: String

    enum CodingKeys: String, CodingKey, CaseIterable {
        case email
    }
}

/// The body of `POST /v1/password`.
struct NewPasswordPayload: StrictPayload {
    let code: String
    let password: String

    enum CodingKeys: String, CodingKey, CaseIterable {
        case code, password
    }
}

extension AuthenticatedUser {
    func json(csrfToken: String) -> String {
        var json = JSONText()
        json.beginObject()
        json.member("session", session.description)
        json.member("user", user.description)
        json.member("email", address.text)
        json.member("account", account?.description)
        json.member("role", kind.name)
        json.member("second_factor_required", lacksDemandedFactor)
        json.member("csrf_token", csrfToken)
        json.endObject()
        return json.text
    }
}

extension User {
    package func json() -> String {
        var json = JSONText()
        json.beginObject()
        json.member("id", id.description)
        json.member("email", address.text)
        json.member("name", name)
        json.member("role", kind.name)
        json.member("second_factor", hasSecondFactor)
        json.member("created_at", createdAt.text)
        json.member("last_sign_in_at", lastSignInAt?.text)
        json.endObject()
        return json.text
    }
}

extension SessionRecord {
    /// - Parameter own: the session that asks; nil where none does
    package func json(own: SessionID? = nil) -> String {
        var json = JSONText()
        json.beginObject()
        json.member("id", id.description)
        json.member("user", user.description)
        if let own { json.member("current", id == own) }
        json.member("client", client)
        json.member("network", network)
        json.member("created_at", createdAt.text)
        json.member("last_seen_at", lastSeenAt.text)
        json.member("expires_at", expiresAt.text)
        json.endObject()
        return json.text
    }
}
