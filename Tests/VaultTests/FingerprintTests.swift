import MailTypes
import TestSupport
import Testing

@testable import Vault

@Suite("Fingerprints")
struct FingerprintTests {
    private let fingerprinter = Fingerprinter(key: [UInt8](repeating: 7, count: 32))

    /// Expected values made with Python: `hmac.new(b'\x07' * 32, address, 'sha256').hexdigest()[:32]`.
    @Test(arguments: [
        ("jane.doe@example.org", "0d9ac1834e94eec2eef338ac60e76ae6"),
        ("Jane.DOE@Example.ORG", "0d9ac1834e94eec2eef338ac60e76ae6"),
        ("a@b.co", "29890cecb41616773e9a02302297e55e"),
        ("josé@example.org", "27efa0252ef0e28edc5a079298ddf47c"),
        ("JOSÉ@example.org", "27efa0252ef0e28edc5a079298ddf47c"),
        ("jose\u{301}@example.org", "27efa0252ef0e28edc5a079298ddf47c"),
        ("\"Jane.Doe\"@example.org", "0d9ac1834e94eec2eef338ac60e76ae6"),
    ])
    func `HMAC-SHA256 of the normalised address, cut to 16 octets`(text: String, expected: String) throws {
        let fingerprint = fingerprinter.fingerprint(try EmailAddress(text))
        #expect(fingerprint.bytes == hexadecimal(expected))
    }

    @Test func `addresses at the limits work`() throws {
        let domain = [String(repeating: "d", count: 60), String(repeating: "e", count: 60), "example.org"]
            .joined(separator: ".")
        let long = try EmailAddress(String(repeating: "L", count: 64) + "@" + domain)
        let same = try EmailAddress(String(repeating: "l", count: 64) + "@" + domain)
        #expect(fingerprinter.fingerprint(long) == fingerprinter.fingerprint(same))
    }

    @Test func `another key gives another fingerprint`() throws {
        let address = try EmailAddress("jane@example.org")
        let other = Fingerprinter(key: [UInt8](repeating: 8, count: 32))
        #expect(other.fingerprint(address) != fingerprinter.fingerprint(address))
    }

    @Test(arguments: Seed.one(11)) func `octets round trip`(seed: Seed) {
        var generator = SeededGenerator(seed)
        for _ in 0..<200 {
            let bytes = generator.bytes(16)
            #expect(Fingerprint(bytes: bytes)?.bytes == bytes)
        }
        #expect(Fingerprint(bytes: [UInt8](repeating: 1, count: 15)) == nil)
        #expect(Fingerprint(bytes: [UInt8](repeating: 1, count: 17)) == nil)
        #expect(
            Fingerprint(bytes: hexadecimal("00000000000000010000000000000002")[...]) == Fingerprint(high: 1, low: 2))
    }
}
