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
        let (year, month, day) = civil(days)
        append(weekdays[(days + 4) % 7], to: &output)
        append(", ", to: &output)
        append(day, digits: day < 10 ? 1 : 2, to: &output)
        append(" ", to: &output)
        append(months[month - 1], to: &output)
        append(" ", to: &output)
        append(year, digits: 4, to: &output)
        append(" ", to: &output)
        append(second / 3_600, digits: 2, to: &output)
        append(":", to: &output)
        append(second / 60 % 60, digits: 2, to: &output)
        append(":", to: &output)
        append(second % 60, digits: 2, to: &output)
        append(" +0000", to: &output)
    }

    /// Proleptic Gregorian date of a day since 1970. Years are counted from March, so that the leap day comes last, and
    /// in eras of 400 years, which repeat exactly.
    private static func civil(_ daysSince1970: Int) -> (year: Int, month: Int, day: Int) {
        let days = daysSince1970 + 719_468
        let era = days / 146_097
        let dayOfEra = days % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
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
