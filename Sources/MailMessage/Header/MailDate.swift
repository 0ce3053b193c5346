import MailTypes

/// The date-time of RFC 5322 §3.3, always in UTC: `Wed, 21 Oct 2015 07:28:00 +0000`.
enum MailDate {
    /// 1970 to 9999: what four digits can say of the present and the future.
    static let validSeconds: Range<Int64> = 0..<253_402_300_800

    private static let weekdays: [StaticString] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let months: [StaticString] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// - Parameter seconds: since 1970, within `validSeconds`.
    static func append(_ seconds: Int64, to output: inout [UInt8]) {
        let days = Int(seconds / 86_400)
        let second = Int(seconds % 86_400)
        let date = CalendarDay(daysSince1970: days)
        append(weekdays[(days + 4) % 7], to: &output)
        append(", ", to: &output)
        append(date.day, digits: date.day < 10 ? 1 : 2, to: &output)
        append(" ", to: &output)
        append(months[date.month - 1], to: &output)
        append(" ", to: &output)
        append(date.year, digits: 4, to: &output)
        append(" ", to: &output)
        append(second / 3_600, digits: 2, to: &output)
        append(":", to: &output)
        append(second / 60 % 60, digits: 2, to: &output)
        append(":", to: &output)
        append(second % 60, digits: 2, to: &output)
        append(" +0000", to: &output)
    }

    private static func append(_ text: StaticString, to output: inout [UInt8]) {
        text.withUTF8Buffer { output.append(contentsOf: $0) }
    }

    private static func append(_ number: Int, digits: Int, to output: inout [UInt8]) {
        var divisor = 1
        for _ in 1..<digits { divisor *= 10 }
        while divisor > 0 {
            output.append(UInt8(number / divisor % 10) + UInt8(ascii: "0"))
            divisor /= 10
        }
    }
}
