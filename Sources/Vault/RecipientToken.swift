import Crypto
package import MailTypes

/// Names one recipient of one campaign to somebody outside, and proves that we did: in the return path, the Message-ID,
/// the identifiers for feedback loops and the unsubscribe link. It needs no look-up but the account's keys, so it works
/// after the purge.
///
/// 38 octets in lower-case base 32 (RFC 4648 §6, no padding): 5 of the account, 8 of the campaign, the fingerprint's 16,
/// and 9 of an HMAC-SHA256 over them. With `b-` in front it fits the 64 octets of a local part (RFC 5321 §4.5.3.1.1),
/// and it survives systems that change the case of local parts.
///
/// It expires by itself: the campaign's number, which the MAC covers, tells when the campaign was made
/// (decision 0080).
package struct RecipientToken: Sendable, Hashable {
    package let account: AccountID
    package let campaign: CampaignID
    package let fingerprint: Fingerprint

    package init(account: AccountID, campaign: CampaignID, fingerprint: Fingerprint) {
        self.account = account
        self.campaign = campaign
        self.fingerprint = fingerprint
    }

    /// Letters and digits of a token's text.
    package static let textCount = 61

    /// For how long after its campaign was made a token is believed: a campaign may wait for a year, and mailboxes
    /// report for another.
    package static let lifetimeMilliseconds: Int64 = 800 * 86_400_000

    /// Whether it is too old for bounces and complaints. Who unsubscribes is never too late.
    package func isExpired(atMilliseconds now: Int64) -> Bool {
        now - campaign.millisecondsSince1970 > Self.lifetimeMilliseconds
    }

    /// - Precondition: the account's number is below 2^40.
    package func text(signedWith keys: AccountKeys) -> String {
        var octets = claim
        Self.withAuthenticator(of: octets, keys) { octets.append(contentsOf: $0) }
        return Base32.encode(octets)
    }

    /// A token read but not yet believed: its account's keys tell whether it is ours.
    package struct Unverified: Sendable {
        package let account: AccountID
        private let claim: [UInt8]
        private let authenticator: [UInt8]

        package init?(_ text: String) {
            // One digit more could be a zero that is padding, and the same token.
            guard text.utf8.count == RecipientToken.textCount, let octets = Base32.decode(text),
                octets.count == claimCount + authenticatorCount
            else { return nil }
            claim = Array(octets[..<claimCount])
            authenticator = Array(octets[claimCount...])
            account = AccountID(rawValue: claim[..<5].reduce(0) { $0 << 8 | Int64($1) })
        }

        /// The token if its MAC is right.
        package func verified(with keys: AccountKeys) -> RecipientToken? {
            guard
                RecipientToken.withAuthenticator(of: claim, keys, { Array($0).equalsInConstantTime(authenticator) }),
                let fingerprint = Fingerprint(bytes: claim[13...])
            else { return nil }
            let campaign = claim[5..<13].reduce(0) { $0 << 8 | UInt64($1) }
            return RecipientToken(
                account: account, campaign: CampaignID(rawValue: Int64(truncatingIfNeeded: campaign)),
                fingerprint: fingerprint)
        }
    }

    private var claim: [UInt8] {
        precondition(account.rawValue >> 40 == 0, "account numbers outgrow the token at 2^40")
        var octets: [UInt8] = []
        octets.reserveCapacity(Self.claimCount + Self.authenticatorCount)
        func append(_ number: UInt64, octets count: UInt64) {
            for place in 1...count { octets.append(UInt8(truncatingIfNeeded: number >> (8 * (count - place)))) }
        }
        append(UInt64(account.rawValue), octets: 5)
        append(UInt64(bitPattern: campaign.rawValue), octets: 8)
        append(fingerprint.high, octets: 8)
        append(fingerprint.low, octets: 8)
        return octets
    }

    fileprivate static func withAuthenticator<Result>(
        of claim: [UInt8], _ keys: AccountKeys, _ body: (UnsafeRawBufferPointer) -> Result
    ) -> Result {
        var code = keys.keyedToken
        code.update(data: claim)
        return code.finalize().withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0.prefix(authenticatorCount))) }
    }

    private static let claimCount = 29
    private static let authenticatorCount = 9
}

private enum Base32 {
    private static let digits = Array("abcdefghijklmnopqrstuvwxyz234567".utf8)

    static func encode(_ octets: [UInt8]) -> String {
        String(unsafeUninitializedCapacity: (octets.count * 8 + 4) / 5) { text in
            var count = 0
            func append(_ value: UInt32) {
                text[count] = digits[Int(value & 31)]
                count += 1
            }
            var buffer: UInt32 = 0
            var bits: UInt32 = 0
            for octet in octets {
                buffer = buffer << 8 | UInt32(octet)
                bits += 8
                while bits >= 5 {
                    bits -= 5
                    append(buffer >> bits)
                }
            }
            if bits > 0 { append(buffer << (5 - bits)) }
            return count
        }
    }

    static func decode(_ text: String) -> [UInt8]? {
        var octets: [UInt8] = []
        var buffer: UInt32 = 0
        var bits = 0
        for byte in text.utf8 {
            let value: UInt32
            switch byte {
            case 0x61...0x7A: value = UInt32(byte - 0x61)
            case 0x41...0x5A: value = UInt32(byte - 0x41)
            case 0x32...0x37: value = UInt32(byte - 0x32 + 26)
            default: return nil
            }
            buffer = buffer << 5 | value
            bits += 5
            if bits >= 8 {
                bits -= 8
                octets.append(UInt8(truncatingIfNeeded: buffer >> UInt32(bits)))
            }
        }
        // Left-over bits are padding; other values would give one token several spellings.
        return buffer & (1 << UInt32(bits) - 1) == 0 ? octets : nil
    }
}
