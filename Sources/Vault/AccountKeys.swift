import Crypto
package import MailTypes

/// What an account's random key is used for, each use with a key of its own.
package struct AccountKeys: Sendable {
    /// Fingerprints of the account's recipients.
    package let fingerprinter: Fingerprinter
    /// Seals what belongs to the account and no campaign, such as DKIM keys.
    package let sealing: SealingKey
    /// Key of the MAC in return-path and unsubscribe tokens, 32 octets.
    package let tokenKey: Redacted<[UInt8]>
    /// The MAC of tokens with its key mixed in: each token's starts from a copy, which saves half of the hashing.
    let keyedToken: HMAC<SHA256>
    /// Tells the key from every other, and nothing else of it, 16 octets: the records keep it.
    package let checkValue: [UInt8]

    init(_ root: SealingKey) {
        fingerprinter = Fingerprinter(key: Self.derive("sluice account fingerprint 1", from: root))
        sealing = SealingKey(SymmetricKey(data: Self.derive("sluice account sealing 1", from: root)))
        tokenKey = Redacted(Self.derive("sluice account token 1", from: root))
        keyedToken = HMAC(key: SymmetricKey(data: tokenKey.exposed))
        checkValue = Array(Self.derive("sluice account check 1", from: root).prefix(16))
    }

    /// By HKDF-SHA256 (RFC 5869). The text decides the key; never change one.
    private static func derive(_ use: String, from root: SealingKey) -> [UInt8] {
        let key = HKDF<SHA256>.deriveKey(
            inputKeyMaterial: SymmetricKey(data: root.bytes), info: Array(use.utf8),
            outputByteCount: SealingKey.byteCount)
        return key.withUnsafeBytes { Array($0) }
    }
}
