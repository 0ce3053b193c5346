import MailTypes
import TestSupport
import Testing

@testable import Vault

struct RecipientTokenTests {
    private static let keys = AccountKeys(SealingKey())

    private static func token(_ generator: inout SeededGenerator) -> RecipientToken {
        RecipientToken(
            account: AccountID(rawValue: .random(in: 1..<(1 << 40), using: &generator)),
            campaign: .make(
                millisecondsSince1970: .random(in: 1_577_836_800_000...4_000_000_000_000, using: &generator),
                using: &generator),
            fingerprint: Fingerprint(high: generator.next(), low: generator.next()))
    }

    private static func read(_ text: String, with keys: AccountKeys = keys) -> RecipientToken? {
        RecipientToken.Unverified(text)?.verified(with: keys)
    }

    @Test(arguments: Seed.range(300)) func `a token comes back whole, in any case of its letters`(seed: Seed) throws {
        var generator = SeededGenerator(seed)
        let token = Self.token(&generator)
        let text = token.text(signedWith: Self.keys)
        #expect(text.utf8.count == RecipientToken.textCount)
        #expect("b-\(text)".utf8.count <= 64, "a local part (RFC 5321 §4.5.3.1.1)")
        #expect(text == text.lowercased())
        let mixed = String(text.map { Bool.random(using: &generator) ? Character($0.uppercased()) : $0 })
        for spelling in [text, text.uppercased(), mixed] { #expect(Self.read(spelling) == token, "\(spelling)") }
    }

    @Test(arguments: Seed.range(50)) func `no other text is a token, whichever letter of it differs`(seed: Seed) {
        var generator = SeededGenerator(seed)
        let text = Array(Self.token(&generator).text(signedWith: Self.keys).utf8)
        let digits = Array("abcdefghijklmnopqrstuvwxyz234567".utf8)
        for index in text.indices {
            for digit in digits where digit != text[index] {
                var forged = text
                forged[index] = digit
                #expect(Self.read(String(decoding: forged, as: UTF8.self)) == nil, "letter \(index)")
            }
        }
    }

    @Test(arguments: Seed.range(50)) func `a token that was cut or grew is none`(seed: Seed) {
        var generator = SeededGenerator(seed)
        let text = Self.token(&generator).text(signedWith: Self.keys)
        for count in 0..<text.count {
            #expect(Self.read(String(text.prefix(count))) == nil && Self.read(String(text.suffix(count))) == nil)
        }
        for more in ["a", "aa", "=", " ", "aaaaaaaa"] { #expect(Self.read(text + more) == nil, "\(more)") }
        #expect(Self.read("") == nil)
    }

    @Test(arguments: Seed.range(2_000)) func `nobody makes up a token`(seed: Seed) {
        var generator = SeededGenerator(seed)
        let digits = Array("abcdefghijklmnopqrstuvwxyz234567".utf8)
        let letters = (0..<RecipientToken.textCount).map { _ in digits.randomElement(using: &generator) ?? 0x61 }
        #expect(Self.read(String(decoding: letters, as: UTF8.self)) == nil)
    }

    @Test(arguments: Seed.range(50)) func `another account's key, or another installation's, does not open it`(
        seed: Seed
    ) {
        var generator = SeededGenerator(seed)
        let text = Self.token(&generator).text(signedWith: Self.keys)
        #expect(Self.read(text, with: AccountKeys(SealingKey())) == nil)
    }

    /// The MAC covers all that is told, so that nobody joins one mail's account to another's recipient.
    @Test(arguments: Seed.range(100)) func `a MAC fits one account, campaign and recipient`(seed: Seed) {
        var generator = SeededGenerator(seed)
        let (one, other) = (Self.token(&generator), Self.token(&generator))
        let mixtures = [
            RecipientToken(account: other.account, campaign: one.campaign, fingerprint: one.fingerprint),
            RecipientToken(account: one.account, campaign: other.campaign, fingerprint: one.fingerprint),
            RecipientToken(account: one.account, campaign: one.campaign, fingerprint: other.fingerprint),
        ]
        // 47 letters hold what is told, and the first three bits of the MAC.
        let mac = one.text(signedWith: Self.keys).suffix(14)
        for mixture in mixtures {
            let text = mixture.text(signedWith: Self.keys)
            #expect(Self.read(text) == mixture)
            #expect(Self.read(String(text.prefix(47)) + String(mac)) == nil)
        }
    }

    @Test func `a token is believed for 800 days after its campaign was made, and not a millisecond longer`() {
        var generator = SeededGenerator(seed: 1)
        for _ in 0..<100 {
            let token = Self.token(&generator)
            let end = token.campaign.millisecondsSince1970 + 800 * 86_400_000
            #expect(!token.isExpired(atMilliseconds: token.campaign.millisecondsSince1970))
            #expect(!token.isExpired(atMilliseconds: end))
            #expect(token.isExpired(atMilliseconds: end + 1))
        }
    }

    @Test(arguments: Seed.range(100)) func `a campaign's number tells when it was made`(seed: Seed) {
        var generator = SeededGenerator(seed)
        let time = Int64.random(in: 1_577_836_800_000..<(1_577_836_800_000 + 1 << 42), using: &generator)
        #expect(CampaignID.make(millisecondsSince1970: time, using: &generator).millisecondsSince1970 == time)
    }
}
