package import Identity
import MailTypes

/// A code of the app or a recovery code.
struct CodePayload: StrictPayload {
    let code: String?
    let recoveryCode: String?

    enum CodingKeys: String, CodingKey, CaseIterable {
        case code
        case recoveryCode = "recovery_code"
    }

    /// - Throws: ``Problem``
    func proof() throws -> Proof {
        switch (code, recoveryCode) {
        case (let code?, nil): return .code(Redacted(code))
        case (nil, let code?): return .recoveryCode(Redacted(code))
        default:
            throw Problem.invalid(
                "invalid_field", "Give either `code` or `recovery_code`.", fields: ["code", "recovery_code"])
        }
    }
}

/// What a user shows before their second factor is changed.
struct ProofPayload: StrictPayload {
    let password: String?
    let code: String?
    let recoveryCode: String?

    enum CodingKeys: String, CodingKey, CaseIterable {
        case password, code
        case recoveryCode = "recovery_code"
    }

    /// - Throws: ``Problem``
    func proof() throws -> Proof {
        switch (password, code, recoveryCode) {
        case (let password?, nil, nil): return .password(Redacted(password))
        case (nil, let code?, nil): return .code(Redacted(code))
        case (nil, nil, let code?): return .recoveryCode(Redacted(code))
        default:
            throw Problem.invalid(
                "invalid_field", "Give one of `password`, `code` and `recovery_code`.",
                fields: ["password", "code", "recovery_code"])
        }
    }
}

/// The body of `POST /v1/me/second-factor`.
struct PasswordPayload: StrictPayload {
    let password: String

    enum CodingKeys: String, CodingKey, CaseIterable {
        case password
    }
}

/// The body of `POST /v1/me/second-factor/confirm`.
struct FirstCodePayload: StrictPayload {
    let code: String

    enum CodingKeys: String, CodingKey, CaseIterable {
        case code
    }
}

extension SecondFactorState {
    /// - Parameter changes: newest first
    package func json(_ changes: [SecondFactorChange]) -> String {
        var json = JSONText()
        json.beginObject()
        json.member("enabled", enabledAt != nil)
        json.member("required", isDemanded)
        json.member("enabled_at", enabledAt?.text)
        json.member("recovery_codes", Int64(recoveryCodes))
        json.key("changes")
        json.beginArray()
        for change in changes {
            json.beginObject()
            json.member("change", change.name)
            json.member("reason", change.reason)
            json.member("at", change.at.text)
            json.endObject()
        }
        json.endArray()
        json.endObject()
        return json.text
    }
}

extension SecondFactorSecret {
    var json: String {
        var json = JSONText()
        json.beginObject()
        json.member("secret", secret.exposed)
        json.member("uri", uri.exposed)
        json.endObject()
        return json.text
    }
}

enum RecoveryCodesAnswer {
    static func json(_ codes: [Redacted<String>]) -> String {
        var json = JSONText()
        json.beginObject()
        json.member("recovery_codes", codes.map(\.exposed))
        json.endObject()
        return json.text
    }
}
