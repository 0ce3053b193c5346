import Testing
import TrafficShaping

struct BlockBrakeTests {
    @Test(
        arguments: [
            ("a few strict sites", 19, 19, false),
            ("nothing but blocks", 20, 20, true),
            ("a share below the threshold", 1_000, 299, false),
            ("a share at the threshold", 1_000, 300, true),
            ("many answers, few blocks", 5_000, 20, false),
            ("no answer", 0, 0, false),
        ] as [(String, Double, Double, Bool)])
    func `stops at a share of the answers`(_ name: String, _ answers: Double, _ blocks: Double, _ stops: Bool) {
        #expect(BlockBrake(share: 0.3).stops(answers: answers, blocks: blocks) == stops, "\(name)")
    }
}
