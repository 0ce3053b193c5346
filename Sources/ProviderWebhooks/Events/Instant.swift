import MailTypes
import Postgres

/// Reads the times that providers write.
enum Instant {
    /// RFC 3339, with any number of decimals: `2014-08-01T13:28:10.2735393-04:00`.
    static func reading(_ text: String?) -> PostgresTimestamp? {
        guard let text, text.utf8.count <= 40 else { return nil }
        let bytes = Array(text.utf8)
        guard bytes.count >= 20, bytes[4] == UInt8(ascii: "-"), bytes[7] == UInt8(ascii: "-"),
            bytes[10] == UInt8(ascii: "T") || bytes[10] == UInt8(ascii: " "), bytes[13] == UInt8(ascii: ":"),
            bytes[16] == UInt8(ascii: ":"), let year = number(bytes, 0..<4), let month = number(bytes, 5..<7),
            let day = number(bytes, 8..<10), let hour = number(bytes, 11..<13), let minute = number(bytes, 14..<16),
            let second = number(bytes, 17..<19), hour < 24, minute < 60, second <= 60,
            let date = CalendarDay(year: Int(year), month: Int(month), day: Int(day))
        else { return nil }
        var position = 19
        var fraction: Int64 = 0
        if bytes[position] == UInt8(ascii: ".") {
            let digits = bytes[(position + 1)...].prefix { (0x30...0x39).contains($0) }
            guard !digits.isEmpty else { return nil }
            for place in 0..<6 {
                fraction = fraction * 10 + (place < digits.count ? Int64(digits[digits.startIndex + place] - 0x30) : 0)
            }
            position += 1 + digits.count
        }
        guard let offset = offset(bytes[position...]) else { return nil }
        let seconds = Int64(date.daysSince1970) * 86_400 + hour * 3_600 + minute * 60 + second - offset
        return PostgresTimestamp(microseconds: seconds * 1_000_000 + fraction)
    }

    /// Seconds since 1970, whole or with decimals, which are left out.
    static func seconds(_ value: JSONValue) -> PostgresTimestamp? {
        guard let seconds = value.integer, (0..<253_402_300_800).contains(seconds) else { return nil }
        return PostgresTimestamp(seconds: seconds)
    }

    /// Milliseconds since 1970.
    static func milliseconds(_ value: JSONValue) -> PostgresTimestamp? {
        guard let milliseconds = value.integer, (0..<253_402_300_800_000).contains(milliseconds) else { return nil }
        return PostgresTimestamp(microseconds: milliseconds * 1_000)
    }

    private static func offset(_ rest: ArraySlice<UInt8>) -> Int64? {
        let bytes = Array(rest)
        if bytes == [UInt8(ascii: "Z")] { return 0 }
        guard bytes.count == 6, bytes[3] == UInt8(ascii: ":"), let hours = number(bytes, 1..<3),
            let minutes = number(bytes, 4..<6), hours < 24, minutes < 60
        else { return nil }
        switch bytes[0] {
        case UInt8(ascii: "+"): return hours * 3_600 + minutes * 60
        case UInt8(ascii: "-"): return -(hours * 3_600 + minutes * 60)
        default: return nil
        }
    }

    private static func number(_ bytes: [UInt8], _ range: Range<Int>) -> Int64? {
        var value: Int64 = 0
        for byte in bytes[range] {
            guard (0x30...0x39).contains(byte) else { return nil }
            value = value * 10 + Int64(byte - 0x30)
        }
        return value
    }
}
