import Crypto
import FoundationEssentials
import MailTypes

/// A key that seals and opens values with AES-256-GCM (NIST SP 800-38D).
///
/// A sealed value is nonce (12 octets) ‖ ciphertext ‖ tag (16 octets). Nonces are random: one key is good for 2^32
/// values, far more than the batches and journal groups of a campaign.
package struct SealingKey: Sendable, CustomStringConvertible {
    private let key: Redacted<SymmetricKey>

    package static let byteCount = 32

    /// A new random key.
    package init() {
        key = Redacted(SymmetricKey(size: .bits256))
    }

    /// - Throws: ``VaultError/Code/malformedKey`` unless there are exactly 32 octets.
    package init(bytes: [UInt8]) throws(VaultError) {
        guard bytes.count == Self.byteCount else {
            throw VaultError(.malformedKey, "a sealing key has 32 octets, not \(bytes.count)")
        }
        key = Redacted(SymmetricKey(data: bytes))
    }

    init(_ key: SymmetricKey) {
        self.key = Redacted(key)
    }

    /// The octets of the key, to be wrapped under another one.
    var bytes: [UInt8] { key.exposed.withUnsafeBytes { Array($0) } }

    package func seal(_ plaintext: [UInt8], as context: SealContext) throws(VaultError) -> [UInt8] {
        do {
            let box = try AES.GCM.seal(plaintext, using: key.exposed, authenticating: context.associatedData)
            guard let combined = box.combined else {
                throw VaultError(.sealingFailed, "the value could not be sealed")
            }
            return [UInt8](combined)
        } catch let error as VaultError {
            throw error
        } catch {
            throw VaultError(.sealingFailed, "the value could not be sealed")
        }
    }

    /// - Throws: ``VaultError/Code/notAuthentic`` where the value was altered, cut, sealed under another key, or sealed
    ///   as something else than `context`.
    package func open(_ sealed: [UInt8], as context: SealContext) throws(VaultError) -> [UInt8] {
        do {
            let box = try AES.GCM.SealedBox(combined: sealed)
            return [UInt8](try AES.GCM.open(box, using: key.exposed, authenticating: context.associatedData))
        } catch {
            throw VaultError(
                .notAuthentic, "the sealed value (\(context.purpose)) was altered or belongs somewhere else")
        }
    }

    package var description: String { "<redacted>" }
}
