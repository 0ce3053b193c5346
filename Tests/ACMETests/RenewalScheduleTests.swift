import Foundation
import Testing

@testable import ACME

struct RenewalScheduleTests {
    private static let schedule = RenewalSchedule()
    private static let day: Int64 = 86_400

    @Test(arguments: [7, 47, 90, 398])
    func `renewed at two thirds of the life, never later, and not all at once`(_ days: Int64) {
        let begin: Int64 = 1_000_000
        let end = begin + days * Self.day
        let latest = Self.schedule.due(notBefore: begin, notAfter: end, chance: 0)
        let earliest = Self.schedule.due(notBefore: begin, notAfter: end, chance: 0.999_999)
        #expect(latest == begin + days * Self.day * 2 / 3)
        #expect(earliest < latest && earliest > begin + days * Self.day * 61 / 100)
    }

    @Test func `a certificate without a life is due at once`() {
        #expect(Self.schedule.due(notBefore: 100, notAfter: 50, chance: 0.5) == 100)
    }

    @Test func `tries grow apart, at most twelve hours, and four at most fail in the first hour`() {
        for chance in [0, 0.5, 0.999] {
            var at = 0.0
            var inTheFirstHour = 1
            for failures in 1...40 {
                let wait = Self.schedule.retry(failures: failures, retryAfter: nil, chance: chance)
                #expect(wait >= 285 && wait <= 43_200 * 1.05)
                at += wait
                if at < 3_600 { inTheFirstHour += 1 }
            }
            #expect(inTheFirstHour <= 4)
        }
    }

    @Test func `what the authority asks for is obeyed, for a week at most`() {
        #expect(Self.schedule.retry(failures: 1, retryAfter: 7_200, chance: 0) == 7_200)
        #expect(Self.schedule.retry(failures: 1, retryAfter: 1, chance: 0) == 285)
        #expect(Self.schedule.retry(failures: 1, retryAfter: 1e12, chance: 0) == 604_800)
    }

    @Test(
        arguments: [
            ("120", 120), ("0", 0), ("-5", 0), ("Thu, 01 Jan 1970 00:02:00 GMT", 20),
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0), ("soon", nil), ("", nil), ("1.5", nil),
        ] as [(String, Double?)])
    func `Retry-After is seconds or a date`(_ text: String, _ seconds: Double?) {
        #expect(RetryAfter.seconds(text, now: Date(timeIntervalSince1970: 100)) == seconds)
    }
}
