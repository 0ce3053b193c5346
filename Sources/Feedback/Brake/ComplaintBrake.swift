/// Decides how far complaints and addresses that do not exist brake a campaign: large receivers block whoever goes on.
///
/// Pure: counts in, level out. A level is reached with its share and left when the share has fallen below four fifths of
/// it, so that it does not flutter. A few mails tell nothing: below ``leastVolume`` mails or ``leastEvents`` events
/// nothing is braked.
package struct ComplaintBrake: Sendable, Hashable {
    package struct Counts: Sendable, Hashable {
        package var delivered: Int64
        package var hardBounces: Int64
        package var complaints: Int64

        package init(delivered: Int64 = 0, hardBounces: Int64 = 0, complaints: Int64 = 0) {
            self.delivered = delivered
            self.hardBounces = hardBounces
            self.complaints = complaints
        }

        /// Of those delivered, 0 to 1; 0 where there are none.
        package var complaintRate: Double { Self.rate(complaints, of: delivered) }
        /// Of those delivered or refused so, 0 to 1.
        package var hardBounceRate: Double { Self.rate(hardBounces, of: delivered + hardBounces) }

        private static func rate(_ events: Int64, of volume: Int64) -> Double {
            volume > 0 ? min(1, (Double(events) / Double(volume) * 1_000_000).rounded() / 1_000_000) : 0
        }
    }

    package enum Level: Int16, Sendable, Hashable, Comparable, CaseIterable {
        // The numbers are stored. Never renumber.
        case none = 0
        /// The customer and the operator are told.
        case warn = 1
        /// The campaign is sent slowly.
        case slow = 2
        /// The campaign is paused, until somebody resumes it.
        case pause = 3

        /// The name used in the API.
        package var name: String { "\(self)" }

        package static func < (one: Level, other: Level) -> Bool { one.rawValue < other.rawValue }
    }

    package enum Cause: String, Sendable, Hashable {
        case complaints
        case hardBounces = "hard_bounces"
    }

    /// From which shares on a level holds, in millionths.
    package struct Thresholds: Sendable, Hashable {
        package let warn: Int64
        package let slow: Int64
        package let pause: Int64

        /// - Returns: nil unless each is above the one before and none above 1,000,000.
        package init?(warn: Int64, slow: Int64, pause: Int64) {
            guard 0 < warn, warn < slow, slow < pause, pause <= 1_000_000 else { return nil }
            self.warn = warn
            self.slow = slow
            self.pause = pause
        }

        /// Three percentages, such as `0.1,0.2,0.3`, with up to four decimals.
        package init?(percentages text: String) {
            let parts = text.split(separator: ",", omittingEmptySubsequences: false)
            guard parts.count == 3 else { return nil }
            let millionths = parts.compactMap { Self.millionths($0.filter { $0 != " " }) }
            guard millionths.count == 3 else { return nil }
            self.init(warn: millionths[0], slow: millionths[1], pause: millionths[2])
        }

        private static func millionths(_ text: String) -> Int64? {
            let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
            let decimals = parts.count == 2 ? String(parts[1]) : ""
            guard (1...3).contains(parts[0].utf8.count), decimals.utf8.count <= 4,
                parts.count == 1 || !decimals.isEmpty,
                (parts[0] + decimals).utf8.allSatisfy({ (0x30...0x39).contains($0) })
            else { return nil }
            return Int64(parts[0] + decimals + String(repeating: "0", count: 4 - decimals.utf8.count))
        }

        fileprivate func level(_ events: Int64, of volume: Int64) -> Level {
            // Counts are far below 2^43, the millionths below 2^20.
            let share = events * 1_000_000
            if share >= pause * volume { return .pause }
            if share >= slow * volume { return .slow }
            return share >= warn * volume ? .warn : .none
        }
    }

    package struct Verdict: Sendable, Hashable {
        package let level: Level
        /// What is the worse; nil for no brake.
        package let cause: Cause?

        package static let free = Verdict(level: .none, cause: nil)
    }

    /// Of the delivered mails; nil for never.
    package var complaints: Thresholds?
    /// Of the mails that were delivered or refused so; nil for never.
    package var hardBounces: Thresholds?
    package var leastVolume: Int64

    package static let leastEvents: Int64 = 3

    package init(complaints: Thresholds?, hardBounces: Thresholds?, leastVolume: Int64) {
        self.complaints = complaints
        self.hardBounces = hardBounces
        self.leastVolume = leastVolume
    }

    /// 0.1, 0.2 and 0.3 % complaints, 2, 5 and 10 % hard bounces, from 500 mails on.
    package static let standard = ComplaintBrake(
        complaints: Thresholds(warn: 1_000, slow: 2_000, pause: 3_000),
        hardBounces: Thresholds(warn: 20_000, slow: 50_000, pause: 100_000), leastVolume: 500)

    package var isOff: Bool { complaints == nil && hardBounces == nil }

    /// - Parameter current: the level that holds now. A pause is not left here: somebody resumes the campaign.
    package func verdict(on counts: Counts, holding current: Level = .none) -> Verdict {
        let now = reached(counts, easing: false)
        guard now.level < current else { return now }
        let eased = reached(counts, easing: true)
        return eased.level < current ? eased : Verdict(level: current, cause: eased.cause)
    }

    /// - Parameter easing: at four fifths of each share.
    private func reached(_ counts: Counts, easing: Bool) -> Verdict {
        func level(_ thresholds: Thresholds?, _ events: Int64, of volume: Int64) -> Level {
            guard let thresholds, volume >= leastVolume, events >= Self.leastEvents else { return .none }
            return easing ? thresholds.level(events * 5, of: volume * 4) : thresholds.level(events, of: volume)
        }
        let complained = level(complaints, counts.complaints, of: counts.delivered)
        let bounced = level(hardBounces, counts.hardBounces, of: counts.delivered + counts.hardBounces)
        guard max(complained, bounced) > .none else { return .free }
        return complained >= bounced
            ? Verdict(level: complained, cause: .complaints) : Verdict(level: bounced, cause: .hardBounces)
    }
}
