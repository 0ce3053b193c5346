/// The five-character code that PostgreSQL gives each error (PostgreSQL manual, appendix A).
package struct SQLState: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    package let rawValue: String

    package init(rawValue: String) { self.rawValue = rawValue }

    package var description: String { rawValue }

    /// The first two characters, which name the class of the error, such as `23` for violated constraints.
    package var errorClass: Substring { rawValue.prefix(2) }

    // Constraints.
    package static let notNullViolation = SQLState(rawValue: "23502")
    package static let foreignKeyViolation = SQLState(rawValue: "23503")
    package static let uniqueViolation = SQLState(rawValue: "23505")
    package static let checkViolation = SQLState(rawValue: "23514")
    package static let exclusionViolation = SQLState(rawValue: "23P01")

    // Transactions.
    package static let serializationFailure = SQLState(rawValue: "40001")
    package static let deadlockDetected = SQLState(rawValue: "40P01")
    package static let inFailedTransaction = SQLState(rawValue: "25P02")
    package static let readOnlyTransaction = SQLState(rawValue: "25006")
    package static let lockNotAvailable = SQLState(rawValue: "55P03")
    /// A statement stopped by its time-out or by a cancel request.
    package static let queryCanceled = SQLState(rawValue: "57014")

    // Statements and schema.
    package static let featureNotSupported = SQLState(rawValue: "0A000")
    package static let invalidStatementName = SQLState(rawValue: "26000")
    package static let undefinedTable = SQLState(rawValue: "42P01")
    package static let undefinedFunction = SQLState(rawValue: "42883")
    package static let duplicateTable = SQLState(rawValue: "42P07")
    package static let duplicateObject = SQLState(rawValue: "42710")
    package static let duplicateDatabase = SQLState(rawValue: "42P04")
    package static let insufficientPrivilege = SQLState(rawValue: "42501")
    package static let syntaxError = SQLState(rawValue: "42601")
    package static let raisedException = SQLState(rawValue: "P0001")
    package static let dataCorrupted = SQLState(rawValue: "XX001")
    package static let indexCorrupted = SQLState(rawValue: "XX002")
    package static let invalidTextRepresentation = SQLState(rawValue: "22P02")

    // Connections and resources.
    package static let unknownDatabase = SQLState(rawValue: "3D000")
    package static let invalidPassword = SQLState(rawValue: "28P01")
    package static let invalidAuthorization = SQLState(rawValue: "28000")
    package static let tooManyConnections = SQLState(rawValue: "53300")
    package static let diskFull = SQLState(rawValue: "53100")
    package static let adminShutdown = SQLState(rawValue: "57P01")
    package static let crashShutdown = SQLState(rawValue: "57P02")
    package static let cannotConnectNow = SQLState(rawValue: "57P03")
}
