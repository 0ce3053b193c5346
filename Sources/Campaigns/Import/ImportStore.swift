package import Feedback
package import Vault

/// A batch of an upload, ready to be stored.
package struct SealedBatch: Sendable, Hashable {
    package var number: Int32
    /// Recipients that are not suppressed.
    package var deliverable: Int32
    /// A ``RecipientBatch`` under the campaign's key.
    package var sealed: [UInt8]
}

/// Where an upload finds what is known and puts its batches: the database, or memory in tests.
package protocol ImportStore {
    /// Up to `limit` stored batches with numbers above `number`, by number. Empty at the end.
    func batches(after number: Int32, limit: Int) async throws -> [SealedBatch]

    /// Which of these are on the account's suppression list, or on that of the installation.
    func suppressed(among addressees: [Addressee]) async throws -> Set<Fingerprint>

    func write(_ batches: [SealedBatch]) async throws
}
