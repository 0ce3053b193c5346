/// How many mails a new source may send to one provider on each day, until receivers know it.
///
///     let schedule = WarmUpSchedule(startDay: 20_700)
///     schedule.allowance(onDay: 20_702)   // 200
package struct WarmUpSchedule: Sendable, Hashable {
    /// Days since 1970 (UTC).
    package let startDay: Int
    /// Mails to each provider on the first day and those after; later there is no limit.
    package let dailyAllowances: [Int]

    package init(startDay: Int, dailyAllowances: [Int] = Self.careful) {
        precondition(dailyAllowances.allSatisfy { $0 >= 1 }, "a day without mail is no warming")
        self.startDay = startDay
        self.dailyAllowances = dailyAllowances
    }

    /// About double every day or two, over three weeks: the pace that providers' guides for new addresses come to.
    package static let careful = [
        50, 100, 200, 400, 600, 1_000, 1_500, 2_500, 4_000, 6_000, 9_000, 13_000, 18_000, 25_000, 35_000, 50_000,
        70_000, 100_000, 140_000, 200_000, 280_000,
    ]

    /// Mails to one provider on that day: none before the start, nil without a limit.
    package func allowance(onDay day: Int) -> Int? {
        guard day >= startDay else { return 0 }
        let index = day - startDay
        return index < dailyAllowances.count ? dailyAllowances[index] : nil
    }
}
