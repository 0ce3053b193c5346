import MailTypes

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

enum SystemTime {
    /// Since 1970.
    static func microseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000
    }

    /// RFC 3339 in UTC, to the millisecond: `2026-02-03T04:05:06.789Z`.
    static func text(_ microseconds: Int64) -> String {
        let milliseconds = microseconds / 1_000
        let days = milliseconds / 86_400_000
        let rest = Int(milliseconds % 86_400_000)
        let day = CalendarDay(daysSince1970: Int(days))
        var text = ""
        text.reserveCapacity(24)
        func append(_ value: Int, _ width: Int, _ after: Character) {
            let digits = String(value)
            for _ in digits.utf8.count..<max(width, digits.utf8.count) { text.append("0") }
            text += digits
            text.append(after)
        }
        append(day.year, 4, "-")
        append(day.month, 2, "-")
        append(day.day, 2, "T")
        append(rest / 3_600_000, 2, ":")
        append(rest / 60_000 % 60, 2, ":")
        append(rest / 1_000 % 60, 2, ".")
        append(rest % 1_000, 3, "Z")
        return text
    }
}
