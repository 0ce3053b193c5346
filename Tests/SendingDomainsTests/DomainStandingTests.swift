import SendingDomains
import TestSupport
import Testing

@Suite struct DomainStandingTests {
    private static let grace = DomainStanding.graceSeconds

    /// State, since when it fails, what the DNS says, how much later, and what follows.
    @Test(arguments: [
        (DomainStanding(.pending), DomainStanding.Proof.proven, Int64(0), DomainStanding(.verified)),
        (DomainStanding(.pending), .disproven, 0, DomainStanding(.pending)),
        (DomainStanding(.pending), .unknown, 0, DomainStanding(.pending)),
        (DomainStanding(.verified), .proven, 0, DomainStanding(.verified)),
        (DomainStanding(.verified), .disproven, 50, DomainStanding(.failing, failingSince: 50)),
        (DomainStanding(.verified), .unknown, grace * 9, DomainStanding(.verified)),
        (DomainStanding(.failing, failingSince: 50), .proven, 60, DomainStanding(.verified)),
        (
            DomainStanding(.failing, failingSince: 50), .disproven, 49 + grace,
            DomainStanding(.failing, failingSince: 50)
        ),
        (
            DomainStanding(.failing, failingSince: 50), .disproven, 50 + grace,
            DomainStanding(.stopped, failingSince: 50)
        ),
        (DomainStanding(.failing, failingSince: 50), .unknown, grace * 9, DomainStanding(.failing, failingSince: 50)),
        (DomainStanding(.stopped, failingSince: 50), .proven, grace * 9, DomainStanding(.verified)),
        (DomainStanding(.stopped, failingSince: 50), .disproven, grace * 9, DomainStanding(.stopped, failingSince: 50)),
        (DomainStanding(.stopped, failingSince: 50), .unknown, grace * 9, DomainStanding(.stopped, failingSince: 50)),
    ])
    func `each look into the DNS has one consequence`(
        _ standing: DomainStanding, _ proof: DomainStanding.Proof, _ now: Int64, _ next: DomainStanding
    ) {
        #expect(standing.after(proof, at: now) == next)
    }

    /// The same in other words: a domain sends from its first proof on, while its last proof is younger than the grace time
    /// or no look since has disproven it after that.
    @Test(arguments: Seed.range(200)) func `histories agree with a simpler opinion`(seed: Seed) {
        var dice = SeededGenerator(seed)
        var standing = DomainStanding(.pending)
        var (now, sends) = (Int64(0), false)
        /// Of the first look in a row that disproves it.
        var disprovenAt: Int64?
        for _ in 0..<60 {
            now += .random(in: 1...40 * 3_600, using: &dice)
            let proof = DomainStanding.Proof.allCases.randomElement(using: &dice) ?? .unknown
            switch proof {
            case .proven: (sends, disprovenAt) = (true, nil)
            case .unknown: break
            case .disproven:
                if sends, let since = disprovenAt, now - since >= Self.grace { sends = false }
                if sends { disprovenAt = disprovenAt ?? now }
            }
            standing = standing.after(proof, at: now)
            #expect(standing.sends == sends)
            #expect((standing.state == .verified) == (sends && disprovenAt == nil))
            #expect((standing.stopsAt == nil) == (standing.state != .failing))
        }
    }
}
