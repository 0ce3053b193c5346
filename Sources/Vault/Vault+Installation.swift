package import MailTypes
package import Postgres

extension Vault {
    /// Stands for the installation where an account is named. Accounts have numbers above 0.
    package static let installation = AccountID(rawValue: 0)

    /// Keys of what belongs to the operator and no account. They are random, wrapped under the master key and checked as those
    /// of accounts are, so that a change of the master key leaves them as they are. They are made on first use: while nothing
    /// is sealed or listed under them there is nothing to lose.
    ///
    /// - Parameter connection: to the records
    /// - Throws: ``VaultError`` `.accountKeyMissing` or `.accountKeyWrong` where they were made and are lost
    package func installationKeys(on connection: PostgresConnection) async throws -> AccountKeys {
        do {
            return try await accountKeys(Self.installation, on: connection)
        } catch let error as VaultError where error.code == .noKey {
            try await createAccountKey(Self.installation, on: connection)
            return try await accountKeys(Self.installation, on: connection)
        }
    }
}
