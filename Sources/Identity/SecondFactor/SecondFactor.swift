package import MailTypes
package import Postgres

/// What somebody shows beside, or in place of, their password.
package enum Proof: Sendable {
    /// Of the user.
    case password(Redacted<String>)
    /// Of the app.
    case code(Redacted<String>)
    /// One of ten that were shown once.
    case recoveryCode(Redacted<String>)
}

/// What an app needs to make codes. It is shown once.
package struct SecondFactorSecret: Sendable {
    /// Base 32, for those who type it.
    package let secret: Redacted<String>
    /// `otpauth://…`, for a QR code.
    package let uri: Redacted<String>
}

/// What is known of a user's second factor.
package struct SecondFactorState: Sendable, Hashable {
    /// Since when it counts; nil where it does not.
    package let enabledAt: PostgresTimestamp?
    /// That were not used.
    package let recoveryCodes: Int
    /// Whether the account, or the installation, demands one.
    package let isDemanded: Bool
}

/// What became of a second factor.
package struct SecondFactorChange: Sendable, Hashable {
    /// `enabled`, `removed_by_operator` …: as it is stored and shown.
    package let name: String
    /// An operator's.
    package let reason: String?
    package let at: PostgresTimestamp
}

/// Why a second factor could not be changed.
package enum SecondFactorError: String, Error, Sendable, Hashable, CaseIterable {
    /// The user has one that counts.
    case exists = "second_factor_exists"
    /// None was begun, or too long ago; or none counts.
    case missing = "second_factor_missing"
    /// Neither the password, nor a code that was not used yet.
    case proofRefused = "proof_refused"
    /// The account, or the installation, demands one of each user.
    case demanded = "second_factor_demanded"

    /// A stable name for programs.
    package var code: String { rawValue }
}

extension SecondFactorError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .exists: "there is a second factor already: disable it first"
        case .missing: "there is no second factor: make one and confirm it first"
        case .proofRefused: "this is not the password, or not a code that can still be used"
        case .demanded:
            "a second factor is demanded of each user here, so it cannot be disabled; for another app ask the operator"
        }
    }
}
