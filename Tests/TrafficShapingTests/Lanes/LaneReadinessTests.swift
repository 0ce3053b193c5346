import Testing

@testable import TrafficShaping

struct LaneReadinessTests {
    @Test(
        arguments: [
            ([.rests(until: 9), .open, .wantsProbe], .open), ([.rests(until: 9), .wantsProbe], .wantsProbe),
            ([.rests(until: 9), .rests(until: 7)], .rests(until: 7)),
            // A rest that is over, and that nobody has looked at since, is looked at soon.
            ([.rests(until: 9), .rests(until: 4)], .rests(until: 6)), ([], .rests(until: 5)),
        ] as [([LaneReadiness], LaneReadiness)])
    func `the best of several lanes is the one that takes mail first`(_ all: [LaneReadiness], _ best: LaneReadiness) {
        #expect(LaneReadiness.best(of: all, at: 5) == best)
    }

    private static func source(_ address: String) -> MailSource {
        MailSource(address: address, heloName: "out.example.net", pool: "default")
    }

    @Test func `a source that wants a probe rests for all mail but one`() {
        let (open, tried) = (Self.source("192.0.2.1"), Self.source("192.0.2.2"))
        var states = SourceStates([open, tried]) { $0 == tried ? .wantsProbe : .open }
        let probes = [states.takeProbe(), states.takeProbe()]
        #expect(probes == [tried, nil])
        #expect(states.restsUntil(tried, withProbes: true) == .infinity)
        #expect(states.restsUntil(tried, withProbes: false) == nil)
        #expect(states.restsUntil(open, withProbes: true) == nil)
    }

    @Test func `the only source of a pool is not kept for a probe`() {
        let only = Self.source("192.0.2.1")
        var states = SourceStates([only]) { _ in .wantsProbe }
        let probe = states.takeProbe()
        #expect(probe == nil)
        #expect(states.restsUntil(only, withProbes: false) == nil)
    }

    @Test func `a rest counts until its end, and with probes until it was looked at`() {
        let source = Self.source("192.0.2.1")
        let states = SourceStates([source]) { _ in .rests(until: 10) }
        #expect(states.restsUntil(source, withProbes: false, 9) == 10)
        #expect(states.restsUntil(source, withProbes: false, 10) == nil)
        #expect(states.restsUntil(source, withProbes: true, 10) == 10)
    }
}
