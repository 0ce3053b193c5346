import Testing

@testable import Feedback

/// From counts to a level.
@Suite struct ComplaintBrakeTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let delivered: Int64
        let bounces: Int64
        let complaints: Int64
        var current = ComplaintBrake.Level.none
        let level: ComplaintBrake.Level
        var cause: ComplaintBrake.Cause?

        var testDescription: String { "\(delivered), \(bounces), \(complaints) from \(current)" }
    }

    static let cases: [Case] = [
        Case(delivered: 0, bounces: 0, complaints: 0, level: .none),
        // Three mails do not trip it.
        Case(delivered: 3, bounces: 0, complaints: 3, level: .none),
        Case(delivered: 0, bounces: 3, complaints: 0, level: .none),
        Case(delivered: 499, bounces: 0, complaints: 499, level: .none),
        // Nor do two events.
        Case(delivered: 500, bounces: 0, complaints: 2, level: .none),
        Case(delivered: 500, bounces: 0, complaints: 3, level: .pause, cause: .complaints),
        // Each threshold, and one below it.
        Case(delivered: 100_000, bounces: 0, complaints: 99, level: .none),
        Case(delivered: 100_000, bounces: 0, complaints: 100, level: .warn, cause: .complaints),
        Case(delivered: 100_000, bounces: 0, complaints: 199, level: .warn, cause: .complaints),
        Case(delivered: 100_000, bounces: 0, complaints: 200, level: .slow, cause: .complaints),
        Case(delivered: 100_000, bounces: 0, complaints: 299, level: .slow, cause: .complaints),
        Case(delivered: 100_000, bounces: 0, complaints: 300, level: .pause, cause: .complaints),
        Case(delivered: 981, bounces: 19, complaints: 0, level: .none),
        Case(delivered: 980, bounces: 20, complaints: 0, level: .warn, cause: .hardBounces),
        Case(delivered: 950, bounces: 50, complaints: 0, level: .slow, cause: .hardBounces),
        Case(delivered: 901, bounces: 99, complaints: 0, level: .slow, cause: .hardBounces),
        Case(delivered: 900, bounces: 100, complaints: 0, level: .pause, cause: .hardBounces),
        Case(delivered: 0, bounces: 500, complaints: 0, level: .pause, cause: .hardBounces),
        // The worse of both.
        Case(delivered: 98_000, bounces: 2_000, complaints: 250, level: .slow, cause: .complaints),
        Case(delivered: 90_000, bounces: 10_000, complaints: 250, level: .pause, cause: .hardBounces),
        // A level is left only when the share is well below it.
        Case(delivered: 100_000, bounces: 0, complaints: 81, current: .warn, level: .warn, cause: .complaints),
        Case(delivered: 100_000, bounces: 0, complaints: 79, current: .warn, level: .none),
        Case(delivered: 100_000, bounces: 0, complaints: 161, current: .slow, level: .slow, cause: .complaints),
        Case(delivered: 100_000, bounces: 0, complaints: 159, current: .slow, level: .warn, cause: .complaints),
        Case(delivered: 100_000, bounces: 0, complaints: 0, current: .slow, level: .none),
        Case(delivered: 100_000, bounces: 0, complaints: 300, current: .warn, level: .pause, cause: .complaints),
        // The window has moved on, and there is too little in it to tell.
        Case(delivered: 10, bounces: 0, complaints: 10, current: .slow, level: .none),
        Case(
            delivered: Int64.max / 10_000_000, bounces: 0, complaints: Int64.max / 10_000_000, level: .pause,
            cause: .complaints),
    ]

    @Test(arguments: cases) func `a level follows from the counts`(sample: Case) {
        let counts = ComplaintBrake.Counts(
            delivered: sample.delivered, hardBounces: sample.bounces, complaints: sample.complaints)
        let verdict = ComplaintBrake.standard.verdict(on: counts, holding: sample.current)
        #expect(verdict.level == sample.level)
        #expect(verdict.cause == sample.cause)
    }

    @Test func `what is off brakes nothing`() {
        var brake = ComplaintBrake.standard
        brake.complaints = nil
        #expect(brake.verdict(on: .init(delivered: 1_000, complaints: 1_000)) == .free)
        #expect(!brake.isOff)
        brake.hardBounces = nil
        #expect(brake.isOff && brake.verdict(on: .init(delivered: 1_000, hardBounces: 1_000)) == .free)
    }

    @Test func `thresholds are three rising percentages`() {
        typealias Thresholds = ComplaintBrake.Thresholds
        #expect(Thresholds(percentages: "0.1,0.2,0.3") == Thresholds(warn: 1_000, slow: 2_000, pause: 3_000))
        #expect(Thresholds(percentages: "2, 5, 10") == ComplaintBrake.standard.hardBounces)
        #expect(Thresholds(percentages: "0.0001,0.0002,100") == Thresholds(warn: 1, slow: 2, pause: 1_000_000))
        for text in [
            "", "1,2", "1,2,3,4", "0,1,2", "2,1,3", "1,1,2", "1,2,101", "-1,2,3", "1.,2,3", ".1,2,3", "0.00001,1,2",
            "a,b,c",
            "1,2,3%", "1e1,20,30", "1,2,1000",
        ] {
            #expect(Thresholds(percentages: text) == nil, "\(text)")
        }
    }
}
