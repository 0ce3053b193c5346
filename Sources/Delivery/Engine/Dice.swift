/// Where chance comes from, all of it, so that tests can seed it.
package struct Dice: RandomNumberGenerator, Sendable {
    private let roll: @Sendable () -> UInt64

    package init(_ roll: @escaping @Sendable () -> UInt64) { self.roll = roll }

    package func next() -> UInt64 { roll() }

    /// The machine's.
    package static let system = Dice { UInt64.random(in: 0 ... .max) }
}
