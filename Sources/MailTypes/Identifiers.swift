/// A customer. Every row of a customer's data starts with this number, and every query carries it.
///
/// Text form: the plain decimal number.
public struct AccountID: RawRepresentable, Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
    public let rawValue: Int64

    public init(rawValue: Int64) { self.rawValue = rawValue }

    package init?(_ text: String) {
        // Int64 also reads "+7" and "007"; one account has one text.
        guard let value = Int64(text), value > 0, String(value) == text else { return nil }
        self.init(rawValue: value)
    }

    public var description: String { String(rawValue) }

    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// Each account may have a test account, which its test keys open: mail of that reaches no host, costs nothing, and counts for
/// nothing that is live (decision 0125). Its number tells, in SQL too: this much and the account's own.
extension AccountID {
    /// The last number of a live account. With it all numbers fit into a recipient token's 40 bits.
    package static let mostLive: Int64 = 500_000_000_000

    package var isTest: Bool { rawValue > Self.mostLive }

    /// The account's test account; a test account itself.
    package var test: AccountID { isTest ? self : AccountID(rawValue: Self.mostLive + rawValue) }

    /// The account that a test account is for; a live one itself.
    package var live: AccountID { isTest ? AccountID(rawValue: rawValue - Self.mostLive) : self }
}

/// One template and its recipients. Unique within its account.
///
/// The number is sortable by time of creation: 42 bits of milliseconds since 2020-01-01, then 21 random bits. A clash
/// inside one account and one millisecond fails on the primary key and is tried again.
///
/// Text form: `cmp_` and 13 digits of Crockford's base 32, which sort like the number.
public struct CampaignID: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
    public let rawValue: Int64

    public init(rawValue: Int64) { self.rawValue = rawValue }

    /// - Parameter millisecondsSince1970: the time of creation; before 2020 counts as 2020.
    package static func make(
        millisecondsSince1970: Int64, using generator: inout some RandomNumberGenerator
    ) -> CampaignID {
        let milliseconds = (max(millisecondsSince1970, millisecondsOf2020) - millisecondsOf2020) & (1 << 42 - 1)
        return CampaignID(rawValue: milliseconds << 21 | Int64.random(in: 0..<(1 << 21), using: &generator))
    }

    package init?(_ text: String) {
        guard text.utf8.count == Self.prefix.utf8.count + Self.digitCount, text.hasPrefix(Self.prefix) else {
            return nil
        }
        var value: UInt64 = 0
        for byte in text.utf8.dropFirst(Self.prefix.utf8.count) {
            guard let digit = Self.digits.firstIndex(of: byte), value >> 59 == 0 else { return nil }
            value = value << 5 | UInt64(digit)
        }
        guard value <= UInt64(Int64.max) else { return nil }
        self.init(rawValue: Int64(value))
    }

    /// When it was made, as it tells itself.
    package var millisecondsSince1970: Int64 { (rawValue >> 21) + Self.millisecondsOf2020 }

    public var description: String {
        var text = [UInt8](repeating: 0, count: Self.digitCount)
        var rest = UInt64(bitPattern: rawValue)
        for index in text.indices.reversed() {
            text[index] = Self.digits[Int(rest & 31)]
            rest >>= 5
        }
        return Self.prefix + String(decoding: text, as: UTF8.self)
    }

    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

    private static let prefix = "cmp_"
    private static let digitCount = 13
    private static let digits = Array("0123456789abcdefghjkmnpqrstvwxyz".utf8)
    private static let millisecondsOf2020: Int64 = 1_577_836_800_000
}

/// Up to 1,000 recipients of a campaign: the unit of reservation, lease, delivery and settlement.
package struct BatchID: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let account: AccountID
    package let campaign: CampaignID
    /// 1, 2, 3 … within the campaign. Retry batches continue the count.
    package let number: Int32

    package init(account: AccountID, campaign: CampaignID, number: Int32) {
        self.account = account
        self.campaign = campaign
        self.number = number
    }

    package var description: String { "\(account)/\(campaign)/\(number)" }

    package static func < (left: Self, right: Self) -> Bool {
        (left.account, left.campaign, left.number) < (right.account, right.campaign, right.number)
    }
}
