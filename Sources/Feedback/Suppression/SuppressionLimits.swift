/// Every bound of suppressions in one place.
package enum SuppressionLimits {
    /// Rows that one statement writes or looks up.
    package static let statementRows = 10_000
    /// Addresses that an account, or its operator, may list. What receivers and recipients say is always taken.
    package static let rows = 50_000_000
    package static let noteOctets = 500

    package static func isNote(_ note: String) -> Bool {
        note.utf8.count <= noteOctets
            && !note.unicodeScalars.contains { $0.properties.generalCategory == .control }
    }
    package static let pageRows = 1_000
}

/// Why a suppression was refused.
package enum SuppressionError: String, Error, Sendable, Hashable, CaseIterable {
    /// Longer than 500 octets, or with control characters.
    case invalidNote = "invalid_suppression_note"
    case accountNotFound = "account_not_found"
    /// The account has as many as it may.
    case tooMany = "too_many_suppressions"
    /// A recipient has unsubscribed or complained: only the operator takes that off.
    case protected = "suppression_protected"

    /// A stable name for programs.
    package var code: String { rawValue }
}
