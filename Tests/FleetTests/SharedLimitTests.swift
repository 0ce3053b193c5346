import Fleet
import MailTypes
import Postgres
import TestStores
import Testing

/// What nodes take out of a limit that holds for all of them, and what they tell each other of providers.
struct SharedLimitTests {
    @Test func `nodes share the tokens of a site`() async throws {
        let fleet = try await Stores.open().fleet
        let start = ContinuousClock.now
        let granted = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    var sum = 0
                    for _ in 0..<50 { sum += try await fleet.leaseSiteTokens("a", rate: 20, wanted: 3) }
                    return sum
                }
            }
            return try await group.reduce(0, +)
        }
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        #expect(granted >= 20)
        #expect(Double(granted) <= 20 + 20 * seconds + 1)
        // Another site has its own.
        #expect(try await fleet.leaseSiteTokens("b", rate: 20, wanted: 5) == 5)
    }

    @Test func `what sources have sent adds up over all nodes, day by day`() async throws {
        let fleet = try await Stores.open().fleet
        let (one, two) = (
            SourceUsage(source: "192.0.2.1", provider: "p"), SourceUsage(source: "192.0.2.1", provider: "q")
        )
        #expect(try await fleet.countUsage([one: 3, two: 1], onDay: 20_000) == [one: 3, two: 1])
        try await withThrowingTaskGroup(of: Void.self) { nodes in
            for _ in 0..<4 { nodes.addTask { _ = try await fleet.countUsage([two: 1, one: 2], onDay: 20_000) } }
            try await nodes.waitForAll()
        }
        #expect(try await fleet.countUsage([:], onDay: 20_000) == [one: 11, two: 5])
        #expect(try await fleet.countUsage([:], onDay: 20_001) == [:])
    }

    private static func rest(_ provider: String, _ source: String, _ seconds: Double, code: Int = 421) -> ProviderRest {
        ProviderRest(
            provider: provider, source: source, secondsLeft: seconds, code: code, enhanced: EnhancedStatusCode("4.7.0"))
    }

    @Test func `of two rests the later end counts, and an operator ends all of a provider`() async throws {
        let fleet = try await Stores.open().fleet
        _ = try await fleet.exchange([
            Self.rest("p", "192.0.2.1", 600, code: 450), Self.rest("p", "", 60), Self.rest("q", "192.0.2.1", 60),
        ])
        _ = try await fleet.exchange([Self.rest("p", "192.0.2.1", 60), Self.rest("p", "", 900)])
        let known = try await fleet.exchange([]).sorted { ($0.provider, $0.source) < ($1.provider, $1.source) }
        #expect(known.map(\.provider) == ["p", "p", "q"])
        #expect(known.map(\.source) == ["", "192.0.2.1", "192.0.2.1"])
        #expect(known.map(\.code) == [421, 450, 421])
        for (rest, seconds) in zip(known, [900.0, 600, 60]) {
            #expect((seconds - 30...seconds).contains(rest.secondsLeft), "\(rest)")
        }
        #expect(known.allSatisfy { $0.enhanced == EnhancedStatusCode("4.7.0") })
        try await fleet.forgetRests(of: "p")
        #expect(try await fleet.exchange([]).map(\.provider) == ["q"])
        // One that is over is told no more.
        #expect(try await fleet.exchange([Self.rest("over", "", -1)]).map(\.provider) == ["q"])
    }
}
