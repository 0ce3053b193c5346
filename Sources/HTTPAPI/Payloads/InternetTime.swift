import Foundation
import MailTypes

/// Times as RFC 3339 §5.6 writes them: `2026-11-21T08:00:00Z`, `2026-11-21T09:00:00.25+01:00`.
enum InternetTime {
    /// Nil for anything else, also for a day or an hour that does not exist. A leap second (§5.7) is the second after it.
    static func date(_ text: String) -> Date? {
        var reader = Reader(rest: Array(text.utf8)[...])
        guard text.utf8.count <= 40,
            let year = reader.number(4), reader.sign("-"), let month = reader.number(2, in: 1...12), reader.sign("-"),
            let number = reader.number(2, in: 1...31), reader.sign("T"),
            let day = CalendarDay(year: year, month: month, day: number),
            let hour = reader.number(2, in: 0...23), reader.sign(":"), let minute = reader.number(2, in: 0...59),
            reader.sign(":"), let second = reader.number(2, in: 0...60), let fraction = reader.fraction(),
            let offset = reader.offset(), reader.rest.isEmpty
        else { return nil }
        let seconds = day.daysSince1970 * 86_400 + (hour * 60 + minute - offset) * 60 + second
        return Date(timeIntervalSince1970: Double(seconds) + fraction)
    }

    private struct Reader {
        var rest: ArraySlice<UInt8>

        mutating func number(_ digits: Int, in range: ClosedRange<Int> = 0...9_999) -> Int? {
            let text = rest.prefix(digits)
            guard text.count == digits, text.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
            rest = rest.dropFirst(digits)
            let value = text.reduce(0) { $0 * 10 + Int($1 - 0x30) }
            return range.contains(value) ? value : nil
        }

        /// Letters in either case.
        mutating func sign(_ sign: Unicode.Scalar) -> Bool {
            let value = UInt8(ascii: sign)
            guard let first = rest.first, first == value || sign.properties.isAlphabetic && first == value | 0x20 else {
                return false
            }
            rest = rest.dropFirst()
            return true
        }

        /// Part of a second; 0 where there is none, nil where no digit follows the point.
        mutating func fraction() -> Double? {
            guard sign(".") else { return 0 }
            let digits = rest.prefix { (0x30...0x39).contains($0) }
            rest = rest.dropFirst(digits.count)
            return digits.isEmpty ? nil : Double("0." + String(decoding: digits, as: UTF8.self))
        }

        /// Minutes east of UTC.
        mutating func offset() -> Int? {
            if sign("Z") { return 0 }
            let isEast = sign("+")
            guard isEast || sign("-"), let hours = number(2, in: 0...23), sign(":"),
                let minutes = number(2, in: 0...59)
            else { return nil }
            return (isEast ? 1 : -1) * (hours * 60 + minutes)
        }
    }
}
