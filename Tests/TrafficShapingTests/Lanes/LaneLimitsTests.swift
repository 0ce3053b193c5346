import Testing
import TrafficShaping

@Suite struct LaneLimitsTests {
    @Test func `connections grow with the queue up to the limit`() {
        let limits = LaneLimits(connections: 5)
        #expect([0, 1, 8, 9, 16, 33, 1_000].map(limits.connections(forQueued:)) == [0, 1, 1, 2, 2, 5, 5])
    }
}
