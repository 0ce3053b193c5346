/// Every bound of suppressions in one place.
package enum SuppressionLimits {
    /// Rows that one statement writes or looks up.
    package static let statementRows = 10_000
    package static let noteOctets = 500
    package static let pageRows = 1_000
}

/// Why a suppression was refused.
package enum SuppressionError: String, Error, Sendable, Hashable {
    /// Longer than 500 octets, or with control characters.
    case invalidNote = "invalid_suppression_note"
    case accountNotFound = "account_not_found"

    /// A stable name for programs.
    package var code: String { rawValue }
}
