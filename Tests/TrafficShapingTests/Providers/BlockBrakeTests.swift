import Testing

@testable import TrafficShaping

struct BlockBrakeTests {
    /// Answers in their order, `b` a block and `a` any other, with how many were heard when the brake came in.
    @Test(
        arguments: [
            (
                "a few strict sites stop no campaign",
                String(repeating: "b", count: 19) + String(repeating: "a", count: 500), nil
            ),
            ("nothing but blocks", String(repeating: "b", count: 40), 20),
            ("a share below the threshold", String(repeating: "baaaa", count: 400), nil),
            ("a share above it", String(repeating: "baa", count: 400), 58),
            (
                "a block in the middle of a campaign",
                String(repeating: "a", count: 900) + String(repeating: "b", count: 900), 1_143
            ),
        ] as [(String, String, Int?)])
    func `comes in at a share of the last answers`(_ name: String, _ answers: String, _ expected: Int?) {
        var brake = BlockBrake(share: 0.3)
        var stopped: [Int] = []
        for (number, answer) in answers.enumerated() where brake.answered(isBlock: answer == "b") {
            stopped.append(number + 1)
        }
        #expect(stopped == (expected.map { [$0] } ?? []), "\(name)")
    }
}
