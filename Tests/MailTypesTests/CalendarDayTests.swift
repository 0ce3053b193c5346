import Foundation
import MailTypes
import Testing

@Suite struct CalendarDayTests {
    @Test(
        arguments: [
            (0, 1970, 1, 1), (-1, 1969, 12, 31), (11_016, 2000, 2, 29), (11_017, 2000, 3, 1), (19_782, 2024, 2, 29),
            (47_540, 2100, 2, 28), (47_541, 2100, 3, 1), (2_932_896, 9999, 12, 31), (-719_528, 0, 1, 1),
            (-719_529, -1, 12, 31), (-865_566, -400, 2, 29),
        ] as [(Int, Int, Int, Int)])
    func `a day has one number, and a number one day`(days: Int, year: Int, month: Int, day: Int) {
        let found = CalendarDay(daysSince1970: days)
        #expect((found.year, found.month, found.day) == (year, month, day))
        #expect(found.daysSince1970 == days)
        #expect(CalendarDay(year: year, month: month, day: day) == found)
    }

    @Test func `every day of six centuries follows the one before, as another calendar has it`() throws {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = try #require(TimeZone(identifier: "UTC"))
        for days in stride(from: -60_000, to: 160_000, by: 1) {
            let found = CalendarDay(daysSince1970: days)
            guard found.daysSince1970 == days else {
                Issue.record("\(days) is not \(found)")
                return
            }
            guard days % 97 == 0 else { continue }
            let parts = calendar.dateComponents(
                [.year, .month, .day], from: Date(timeIntervalSince1970: Double(days) * 86_400))
            #expect(CalendarDay(year: parts.year ?? 0, month: parts.month ?? 0, day: parts.day ?? 0) == found)
        }
    }

    @Test(
        arguments: [
            (2023, 2, 29), (2100, 2, 29), (2000, 2, 30), (2024, 4, 31), (2024, 13, 1), (2024, 0, 1), (2024, 1, 0),
            (2024, 1, 32),
        ] as [(Int, Int, Int)])
    func `a day that does not exist is none`(year: Int, month: Int, day: Int) {
        #expect(CalendarDay(year: year, month: month, day: day) == nil)
    }
}
