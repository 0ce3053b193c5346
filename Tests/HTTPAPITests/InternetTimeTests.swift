import Foundation
import Testing

@testable import HTTPAPI

struct InternetTimeTests {
    @Test(arguments: [
        ("1970-01-01T00:00:00Z", 0), ("2026-11-21T08:00:00Z", 1_795_248_000),
        ("2024-02-29T12:00:00+02:00", 1_709_200_800),
        ("2026-11-21t08:00:00z", 1_795_248_000), ("2026-11-21T08:00:00.25Z", 1_795_248_000.25),
        ("2026-11-21T08:00:00-00:00", 1_795_248_000), ("2016-12-31T23:59:60Z", 1_483_228_800),
        ("2000-02-29T00:00:00-23:59", 951_868_740), ("9999-12-31T23:59:59Z", 253_402_300_799),
    ])
    func `a time of RFC 3339 is read`(_ text: String, _ seconds: Double) {
        #expect(InternetTime.date(text)?.timeIntervalSince1970 == seconds)
    }

    @Test(arguments: [
        "2027-02-30T08:00:00Z", "2027-02-29T08:00:00Z", "2100-02-29T08:00:00Z", "2027-04-31T08:00:00Z",
        "2027-00-10T08:00:00Z", "2027-13-01T08:00:00Z", "2027-01-00T08:00:00Z", "2027-01-32T08:00:00Z",
        "2027-01-01T24:00:00Z", "2027-01-01T23:60:00Z", "2027-01-01T23:59:61Z", "2027-01-01T08:00:00+24:00",
        "2027-01-01T08:00:00+01:60", "2027-01-01T08:00:00+0100", "2027-01-01T08:00:00", "2027-01-01T08:00Z",
        "2027-01-01", "2027-01-01 08:00:00Z", "2027-1-1T08:00:00Z", "2027-01-01T8:00:00Z", "2027-01-01T08:00:00.Z",
        "2027-01-01T08:00:00,5Z", "2027-01-01T08:00:00ZZ", " 2027-01-01T08:00:00Z", "27-01-01T08:00:00Z", "", "now",
        "２027-01-01T08:00:00Z", "2027-01-01T08:00:00.12345678901234567890123Z", "+027-01-01T08:00:00Z",
    ])
    func `what is no time is none`(_ text: String) {
        #expect(InternetTime.date(text) == nil)
    }

    /// The calendar of Foundation judges every day of 400 years.
    @Test func `every day is where the calendar has it`() throws {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = try #require(TimeZone(identifier: "UTC"))
        for day in stride(from: 0, through: 146_097, by: 1) {
            let date = Date(timeIntervalSince1970: Double(day) * 86_400)
            let parts = calendar.dateComponents([.year, .month, .day], from: date)
            let digits = { (value: Int?, count: Int) in
                let text = String(value ?? 0)
                return String(repeating: "0", count: count - text.count) + text
            }
            let text = "\(digits(parts.year, 4))-\(digits(parts.month, 2))-\(digits(parts.day, 2))T00:00:00Z"
            guard InternetTime.date(text) == date else {
                Issue.record("\(text)")
                return
            }
        }
    }
}
