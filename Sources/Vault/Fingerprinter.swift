import Crypto
import FoundationEssentials
package import MailTypes

/// Makes fingerprints of addresses: the first 16 octets of HMAC-SHA256 (RFC 2104) over the normalised address, under a
/// key of the account. Without the key, a stolen suppression list cannot be matched against guessed addresses.
package struct Fingerprinter: Sendable {
    /// The key is mixed in once; each fingerprint starts from a copy, which saves half of the hashing.
    private let keyed: HMAC<SHA256>

    package init(key: [UInt8]) {
        keyed = HMAC(key: SymmetricKey(data: key))
    }

    package func fingerprint(_ address: EmailAddress) -> Fingerprint {
        asciiFingerprint(address) ?? fingerprint(of: Array(address.normalised.utf8))
    }

    /// The fingerprint where the local part is ASCII without quotes, nearly always: its normalised form is its lower
    /// case, made on the stack, and no text is built.
    private func asciiFingerprint(_ address: EmailAddress) -> Fingerprint? {
        let local = address.localPart.utf8
        guard local.first != UInt8(ascii: "\"") else { return nil }
        let domain = address.domain.text.utf8
        let count = local.count + 1 + domain.count
        return withUnsafeTemporaryAllocation(byteCount: count, alignment: 1) { buffer in
            var position = 0
            for byte in local {
                guard byte < 0x80 else { return nil }
                buffer[position] = (0x41...0x5A).contains(byte) ? byte | 0x20 : byte
                position += 1
            }
            buffer[position] = UInt8(ascii: "@")
            position += 1
            for byte in domain {
                buffer[position] = byte
                position += 1
            }
            return fingerprint(of: UnsafeRawBufferPointer(buffer))
        }
    }

    private func fingerprint(of text: some DataProtocol) -> Fingerprint {
        var code = keyed
        code.update(data: text)
        return code.finalize().withUnsafeBytes { digest in
            Fingerprint(
                high: UInt64(bigEndian: digest.loadUnaligned(as: UInt64.self)),
                low: UInt64(bigEndian: digest.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
        }
    }
}
