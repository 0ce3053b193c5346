/// A time in seconds on a clock that never jumps, from any origin; only differences count. Every decision in this module
/// takes it as a parameter, so that a test or a simulation can run days in milliseconds.
///
///     let origin = ContinuousClock.now
///     let now: SteadySeconds = (ContinuousClock.now - origin) / .seconds(1)
public typealias SteadySeconds = Double
