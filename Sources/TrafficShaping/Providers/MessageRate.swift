/// Mails in a time, as rules give it: `100/s`, `600/min`, `5000/h`, `20000/d`.
package struct MessageRate: Sendable, Hashable, CustomStringConvertible {
    package enum Period: String, CaseIterable, Sendable {
        case second = "s"
        case minute = "min"
        case hour = "h"
        case day = "d"

        package var seconds: Double {
            switch self {
            case .second: 1
            case .minute: 60
            case .hour: 3_600
            case .day: 86_400
            }
        }
    }

    /// 1…1,000,000,000
    package let count: Int
    package let period: Period

    package init(_ count: Int, per period: Period) {
        precondition(count >= 1, "a rate of nothing is a suspension")
        self.count = count
        self.period = period
    }

    /// Nil where the text has another form, or a count outside 1…1,000,000,000.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0].allSatisfy({ $0.isASCII && $0.isNumber }), let count = Int(parts[0]),
            (1...1_000_000_000).contains(count), let period = Period(rawValue: String(parts[1]))
        else { return nil }
        self.init(count, per: period)
    }

    package var perSecond: Double { Double(count) / period.seconds }

    package var description: String { "\(count)/\(period.rawValue)" }
}

extension TokenBucket {
    /// Lets through what the rate allows, evenly.
    package init(_ rate: MessageRate) { self.init(rate: rate.perSecond) }
}
