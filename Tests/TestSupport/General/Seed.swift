import Foundation
import Testing

/// The seed of one case of a random suite.
///
/// ```swift
/// @Test(arguments: Seed.range(200)) func `random text is refused or read`(seed: Seed) {
///     var generator = SeededGenerator(seed)
/// ```
/// `SLUICE_TEST_SEED=17` gives every random suite this seed alone. A failing test names its case by that assignment, so
/// the line to run it again stands in its output.
package struct Seed: Hashable, Sendable, CustomStringConvertible, CustomTestStringConvertible {
    package let value: UInt64

    package init(_ value: UInt64) { self.value = value }

    /// What the environment asks for.
    private static let given: Seed? = {
        guard let text = ProcessInfo.processInfo.environment["SLUICE_TEST_SEED"] else { return nil }
        guard let value = UInt64(text) else {
            preconditionFailure("SLUICE_TEST_SEED is no number from 0 to 2^64 - 1: \(text)")
        }
        return Seed(value)
    }()

    /// Seeds from 0, or the one that was asked for.
    package static func range(_ count: Int) -> [Seed] { range(0..<UInt64(count)) }

    package static func range(_ values: Range<UInt64>) -> [Seed] { given.map { [$0] } ?? values.map { Seed($0) } }

    /// For a suite that makes one long run of one seed.
    package static func one(_ value: UInt64) -> [Seed] { [given ?? Seed(value)] }

    /// For a run that is no case of a parametrised test. Says which seed it is.
    package static func of(_ value: UInt64) -> Seed {
        let seed = given ?? Seed(value)
        print(seed.testDescription)
        return seed
    }

    package var description: String { "\(value)" }

    package var testDescription: String { "SLUICE_TEST_SEED=\(value)" }
}

extension SeededGenerator {
    package init(_ seed: Seed) { self.init(seed: seed.value) }
}
