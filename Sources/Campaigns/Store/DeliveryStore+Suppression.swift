import Feedback
package import MailTypes
import Postgres
package import Vault

extension DeliveryStore {
    /// Suppresses addresses whose servers said that they do not exist.
    package func suppress(_ fingerprints: [Fingerprint], account: AccountID) async throws {
        _ = try await records.withTransaction { connection in
            try await suppressions.add(
                fingerprints.map { NewSuppression($0, .hardBounce) }, account: account, origin: .reply, on: connection)
        }
    }
}
