import MailTypes
import TestSupport
import Testing

@testable import Vault

@Suite("Sealing")
struct SealingKeyTests {
    private let key = SealingKey()
    private let context = SealContext(
        account: AccountID(rawValue: 7), campaign: CampaignID(rawValue: 99), batch: 3, purpose: .recipients)

    @Test(arguments: [0, 1, 15, 16, 17, 1_000, 150_000])
    func `what was sealed opens again`(count: Int) throws {
        var generator = SeededGenerator(seed: UInt64(count))
        let plaintext = generator.bytes(count)
        let sealed = try key.seal(plaintext, as: context)
        // A nonce of 12 octets and a tag of 16.
        #expect(sealed.count == count + 28)
        #expect(try key.open(sealed, as: context) == plaintext)
    }

    @Test func `sealing twice gives different octets`() throws {
        let plaintext: [UInt8] = [1, 2, 3]
        #expect(try key.seal(plaintext, as: context) != key.seal(plaintext, as: context))
    }

    @Test func `any flipped bit is noticed`() throws {
        let sealed = try key.seal([1, 2, 3, 4], as: context)
        for position in 0..<(sealed.count * 8) {
            var altered = sealed
            altered[position / 8] ^= 1 << UInt8(position % 8)
            #expect(failure { try key.open(altered, as: context) } == .notAuthentic)
        }
    }

    @Test func `any cut is noticed`() throws {
        let sealed = try key.seal([1, 2, 3, 4], as: context)
        for count in 0..<sealed.count {
            #expect(failure { try key.open(Array(sealed.prefix(count)), as: context) } == .notAuthentic)
        }
        #expect(failure { try key.open(sealed + [0], as: context) } == .notAuthentic)
    }

    @Test(arguments: otherPlaces)
    func `a value opens in its own place only`(other: SealContext) throws {
        let sealed = try key.seal([1, 2, 3], as: context)
        #expect(failure { try key.open(sealed, as: other) } == .notAuthentic)
    }

    @Test func `another key does not open`() throws {
        let sealed = try key.seal([1, 2, 3], as: context)
        #expect(failure { try SealingKey().open(sealed, as: context) } == .notAuthentic)
    }

    @Test func `the same octets are the same key`() throws {
        let copy = try SealingKey(bytes: key.bytes)
        #expect(try copy.open(key.seal([5], as: context), as: context) == [5])
        #expect(failure { try SealingKey(bytes: [1, 2, 3]) } == .malformedKey)
    }

    /// NIST's GCM test case 14 (256-bit zero key, zero nonce, zero block), with our associated data absent from it,
    /// cannot be made through the API; a value sealed by an earlier release can, and must open for ever.
    @Test func `a stored value of this format still opens`() throws {
        let key = try SealingKey(bytes: Array(0..<32))
        let place = SealContext(
            account: AccountID(rawValue: 1), campaign: CampaignID(rawValue: 2), batch: 3, purpose: .results)
        #expect(
            place.associatedData == [1, 3, 3] + [0, 0, 0, 0, 0, 0, 0, 1] + [0, 0, 0, 0, 0, 0, 0, 2] + [0, 0, 0, 3])
        #expect(try key.open(hexadecimal(Self.stored), as: place) == Array("stored".utf8))
    }

    /// Made by Python's `cryptography` (AESGCM) from the key 00 01 … 1f, the nonce a0 … ab and the associated data
    /// above.
    private static let stored = "a0a1a2a3a4a5a6a7a8a9aaab956c135f20af70a553ea364cc3303733b55df2831eab"

    @Test func `no two contexts share an encoding`() {
        let all = Self.otherPlaces + [context]
        #expect(Set(all.map(\.associatedData)).count == all.count)
    }

    @Test func `keys do not show in descriptions`() {
        var dumped = ""
        dump(key, to: &dumped)
        #expect(dumped.contains("redacted"))
        #expect("\(key)" == "<redacted>")
        #expect("\(MasterKey())" == "<redacted>")
    }

    private static let otherPlaces: [SealContext] = {
        let account = AccountID(rawValue: 7)
        let campaign = CampaignID(rawValue: 99)
        return [
            SealContext(account: AccountID(rawValue: 8), campaign: campaign, batch: 3, purpose: .recipients),
            SealContext(account: account, campaign: CampaignID(rawValue: 98), batch: 3, purpose: .recipients),
            SealContext(account: account, campaign: campaign, batch: 4, purpose: .recipients),
            SealContext(account: account, campaign: campaign, batch: 3, purpose: .results),
            SealContext(account: account, campaign: campaign, purpose: .recipients),
            SealContext(account: account, campaign: campaign, batch: 0, purpose: .recipients),
            SealContext(account: account, campaign: nil, batch: 3, purpose: .recipients),
            SealContext(account: account, campaign: campaign, batch: 3, purpose: .recipients, label: "a"),
            SealContext(account: account, purpose: .recipients),
        ]
    }()
}

/// The code of the error that `body` throws, nil where it throws none.
func failure(_ body: () throws -> some Any) -> VaultError.Code? {
    do {
        _ = try body()
        return nil
    } catch {
        return (error as? VaultError)?.code
    }
}

func hexadecimal(_ text: String) -> [UInt8] {
    var bytes: [UInt8] = []
    var rest = text[...]
    while let byte = UInt8(rest.prefix(2), radix: 16) {
        bytes.append(byte)
        rest = rest.dropFirst(2)
    }
    return bytes
}
