import FoundationEssentials
import MailTypes
import Postgres

/// A time as lists of other services write it: seconds or milliseconds since 1970; RFC 3339, also with a blank for its T,
/// without its zone or its time; RFC 5322 §3.3. What names no zone is UTC.
enum ListedTime {
    /// Nil for anything else, and for a time before 1970 or after 2999.
    static func read(_ text: String) -> PostgresTimestamp? {
        guard text.utf8.count <= 48 else { return nil }
        let words = text.split { " ,".contains($0) }.map(String.init)
        guard let first = words.first else { return nil }
        if words.count == 1, let number = Double(first), first.allSatisfy({ $0.isNumber || $0 == "." }) {
            return time(number >= 100_000_000_000 ? number / 1_000 : number)
        }
        guard first.contains("-") else { return written(words) }
        return ordered(first.split { "Tt".contains($0) }.map(String.init) + words.dropFirst())
    }

    private static func time(_ seconds: Double) -> PostgresTimestamp? {
        guard (0..<32_472_144_000).contains(seconds) else { return nil }
        return PostgresTimestamp(microseconds: Int64((seconds * 1_000_000).rounded()))
    }

    /// Date, time, zone: `2019-12-17 08:58:33 -0500`, `2019-12-17`, `08:58:33.5Z`.
    private static func ordered(_ words: [String]) -> PostgresTimestamp? {
        let date = words[0].split(separator: "-").compactMap { Int($0) }
        guard date.count == 3, words.count <= 3, (1970...2999).contains(date[0]) else { return nil }
        return time(date[0], date[1], date[2], clock: Array(words.dropFirst()))
    }

    /// `Fri, 21 Oct 2011 11:02:55 GMT`; the day of the week may be absent.
    private static func written(_ words: [String]) -> PostgresTimestamp? {
        let words = Int(words[0]) == nil ? Array(words.dropFirst()) : words
        let months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
        guard words.count >= 3, words.count <= 5, let day = Int(words[0]), let year = Int(words[2]),
            (1970...2999).contains(year),
            let month = months.firstIndex(of: words[1].lowercased().prefix(3).description)
        else { return nil }
        return time(year, month + 1, day, clock: Array(words.dropFirst(3)))
    }

    private static func time(_ year: Int, _ month: Int, _ day: Int, clock words: [String]) -> PostgresTimestamp? {
        guard let date = CalendarDay(year: year, month: month, day: day) else { return nil }
        var text = words.joined()
        var offset = 0
        if let sign = text.lastIndex(where: { $0 == "+" || $0 == "-" }) {
            let digits = text[text.index(after: sign)...].filter { $0 != ":" }
            guard digits.count == 4 || digits.count == 2, let number = Int(digits) else { return nil }
            let minutes = digits.count == 2 ? number * 60 : number / 100 * 60 + number % 100
            offset = text[sign] == "-" ? -minutes : minutes
            text = String(text[..<sign])
        }
        for zone in ["UTC", "GMT", "Z", "z"] where text.hasSuffix(zone) {
            text = String(text.dropLast(zone.count))
            break
        }
        let parts = text.split(separator: ":").map { Double($0) }
        let clock = parts.compactMap(\.self)
        guard clock.count == parts.count, clock.isEmpty || (2...3).contains(clock.count),
            zip(clock, [24.0, 60, 61]).allSatisfy({ (0..<$1).contains($0) })
        else { return nil }
        let ofDay = zip(clock, [3_600.0, 60, 1]).reduce(0) { $0 + $1.0 * $1.1 }
        return Self.time(Double(date.daysSince1970 * 86_400 - offset * 60) + ofDay)
    }
}
