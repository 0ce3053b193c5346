import Crypto
import FoundationEssentials
import MailTypes

/// The key above all others: it wraps the keys of campaigns and accounts and never meets a database.
///
/// It comes from the environment or from a file. Whoever loses it loses every campaign that is not finished and every
/// suppression list; whoever has it and the vault database can read both.
package struct MasterKey: Sendable, CustomStringConvertible {
    private let key: Redacted<SymmetricKey>

    package static let byteCount = 32

    /// - Throws: ``VaultError/Code/malformedMasterKey`` unless there are exactly 32 octets.
    package init(bytes: [UInt8]) throws(VaultError) {
        guard bytes.count == Self.byteCount else {
            throw VaultError(.malformedMasterKey, "the master key has \(bytes.count) octets instead of 32")
        }
        key = Redacted(SymmetricKey(data: bytes))
    }

    /// A new random key.
    package init() {
        key = Redacted(SymmetricKey(size: .bits256))
    }

    /// Reads a key as people keep it: 64 hexadecimal digits, or base64 of 32 octets (either alphabet, padded or not).
    /// Space around it is allowed.
    package init(text: String) throws(VaultError) {
        let digits = text.utf8.drop(while: Self.isSpace).reversed().drop(while: Self.isSpace).reversed()
        guard let bytes = Self.hexadecimal(digits) ?? Self.base64(digits) else {
            throw VaultError(
                .malformedMasterKey,
                "the master key is not 32 octets written as 64 hexadecimal digits or as base64")
        }
        try self.init(bytes: bytes)
    }

    /// A key for one use, by HKDF-SHA256 (RFC 5869), so that no two uses share one.
    func derive(_ use: Use) -> SymmetricKey {
        HKDF<SHA256>.deriveKey(
            inputKeyMaterial: key.exposed, info: Array(use.rawValue.utf8), outputByteCount: SealingKey.byteCount)
    }

    /// What keys are derived for. The texts decide the keys; never change them.
    enum Use: String {
        case wrapping = "sluice vault wrapping 1"
        case masterKeyCheck = "sluice vault check 1"
        case ledgerChain = "sluice ledger chain 1"
        case providerWebhooks = "sluice provider webhooks 1"
        case sessions = "sluice sessions 1"
        case people = "sluice people 1"
        case secondFactors = "sluice second factors 1"
        case certificates = "sluice certificates 1"
    }

    /// The key as the file keeps it.
    var text: String { key.exposed.withUnsafeBytes { $0.hexadecimal } }

    package var description: String { "<redacted>" }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

    private static func hexadecimal(_ digits: some Collection<UInt8>) -> [UInt8]? {
        guard digits.count == 2 * byteCount else { return nil }
        var bytes: [UInt8] = []
        var half: UInt8?
        for digit in digits {
            guard let value = Character(Unicode.Scalar(digit)).hexDigitValue else { return nil }
            if let first = half {
                bytes.append(first << 4 | UInt8(value))
                half = nil
            } else {
                half = UInt8(value)
            }
        }
        return bytes
    }

    private static func base64(_ digits: some Collection<UInt8>) -> [UInt8]? {
        var standard = digits.map { digit -> UInt8 in
            switch digit {
            case UInt8(ascii: "-"): UInt8(ascii: "+")
            case UInt8(ascii: "_"): UInt8(ascii: "/")
            default: digit
            }
        }
        while !standard.count.isMultiple(of: 4) { standard.append(UInt8(ascii: "=")) }
        guard let data = Data(base64Encoded: Data(standard)), data.count == byteCount else { return nil }
        return [UInt8](data)
    }
}
