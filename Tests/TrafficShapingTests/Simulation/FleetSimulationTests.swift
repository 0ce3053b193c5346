import TestSupport
import Testing
import TrafficShaping

@Suite struct FleetSimulationTests {
    /// One node finds the limit of one site and stays close to it, without a rule that names a rate.
    @Test(
        arguments: [
            // What the site bears, mails a second that this allows, share of it to be reached, share refused at most
            (.perSecond(2), 2, 0.8, 0.02), (.perSecond(10), 10, 0.8, 0.02), (.perSecond(40), 40, 0.8, 0.02),
            (.perMinute(120), 2, 0.65, 0.04), (.perMinute(1_200), 20, 0.65, 0.02),
            // A mail takes 0.2 s.
            (.connections(1), 5, 0.65, 0.02), (.connections(4), 20, 0.65, 0.02), (.connections(20), 100, 0.95, 0),
        ] as [(FleetSimulation.HiddenLimit, Double, Double, Double)])
    func `a lane finds a hidden limit`(
        limit: FleetSimulation.HiddenLimit, allowed: Double, least: Double, most: Double
    ) {
        var simulation = FleetSimulation(seconds: 1_200, steadyFrom: 300, limits: [limit])
        let lane = simulation.addLane(to: 0, isEndless: true)
        for number in 0..<200 {
            simulation.add(.init(account: number % 4, campaign: number % 8), to: lane, at: 0)
        }
        simulation.run()
        let site = simulation.sites[0]
        let reached = Double(site.acceptedSteadily) / (allowed * 900)
        let refused = Double(site.throttledSteadily) / Double(site.acceptedSteadily + site.throttledSteadily)
        print("\(limit): reached \(reached), refused \(refused), in all \(site.throttled) of \(site.accepted)")
        #expect(reached >= least)
        #expect(refused <= most)
    }

    /// 50 nodes, 2,000 sites, 500 accounts. Four large sites keep all nodes busy for the whole time; the others get a
    /// few mails each. Nobody has told the nodes any rate.
    @Test(arguments: Seed.one(2_024)) func `a fleet is fair and keeps to hidden limits`(seed: Seed) {
        var generator = SeededGenerator(seed)
        let large = 4
        let rates = (0..<2_000).map { $0 < large ? Double.random(in: 25...50, using: &generator) : 1 }
        var simulation = FleetSimulation(seconds: 600, steadyFrom: 200, limits: rates.map { .perSecond($0) })
        var small = 0
        for _ in 0..<50 {
            for site in 0..<large {
                let lane = simulation.addLane(to: site, isEndless: true)
                let accounts = (0..<8).map { _ in Int.random(in: 0..<500, using: &generator) }
                for number in 0..<80 {
                    simulation.add(.init(account: accounts[number % 8], campaign: number % 2), to: lane, at: 0)
                }
                // A small campaign of one of the accounts, later.
                simulation.add(
                    .init(account: accounts[0], campaign: 2, lettingsOut: 0), to: lane,
                    at: Double.random(in: 200...400, using: &generator))
                small += 1
            }
        }
        let unlimited = simulation.lanes.count
        for site in large..<2_000 {
            for _ in 0..<5 {
                let lane = simulation.addLane(to: site, isEndless: false)
                simulation.add(
                    .init(account: Int.random(in: 0..<500, using: &generator), campaign: 0), to: lane,
                    at: Double.random(in: 0...300, using: &generator))
            }
        }
        simulation.run()
        for (site, rate) in zip(simulation.sites, rates).prefix(large) {
            let reached = Double(site.acceptedSteadily) / (rate * 400)
            let refused = Double(site.throttledSteadily) / Double(site.acceptedSteadily + site.throttledSteadily)
            print("hidden \(rate)/s: reached \(reached), refused \(refused), all \(site.throttled) of \(site.accepted)")
            #expect(reached >= 0.7)
            #expect(refused <= 0.05)
        }
        let delivered = simulation.sites.dropFirst(large).reduce(0) { $0 + $1.accepted }
        print("\(simulation.events) events, \(unlimited) busy lanes, waits \(simulation.waits.max() ?? 0)")
        #expect(delivered == (2_000 - large) * 5, "a large site's trouble is no other's")
        // Eight accounts take turns; the small campaign's account has three campaigns.
        #expect(simulation.waits.filter { $0 <= 8 * 3 }.count >= small * 9 / 10)
        #expect(simulation.waits.count >= small * 9 / 10)
    }
}
