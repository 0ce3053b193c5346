/// The bounds and steps of ``LaneGovernor``, in one place.
package struct GovernorPolicy: Sendable, Hashable {
    /// What is left of limits after a decrease. Mild, because a receiver's hidden limit is found again every few
    /// minutes, and each time a little below it is what makes the pace.
    package var decreaseFactor = 0.7
    /// The least time between two decreases, in seconds: replies to one burst come within it.
    package var decreaseSeconds = 1.0
    /// Seconds of success that a limit takes to rise by a step.
    package var cohortSeconds = 10.0
    /// Steps for which connections stay one below the number that was last refused, before it is tried again. Longer
    /// than the rate takes to come back, so that it does not pay for what the connections try.
    package var stepsBelowRefused = 10
    /// One step of the rate, as a share of the rate before the last decrease.
    package var rateStep = 0.05
    /// Growth of the rate by a step once it has passed what was last refused.
    package var rateGrowth = 1.1
    /// A rate that no rule asks for ends at so many times what was measured before it began.
    package var rateEndsAtMultiple = 4.0
    /// The lowest rate, in mails a second.
    package var minimumRate = 0.1
    /// Refusals for the pace without a mail accepted between, and at least two for each connection, that suspend the
    /// lane.
    package var refusalsBeforePause = 10
    /// Connection failures in a row that suspend the lane.
    package var connectFailuresBeforePause = 3
    /// Seconds of the first such suspension; the next ones double.
    package var firstPauseSeconds = 30.0
    /// The longest of them, in seconds.
    package var maximumPauseSeconds = 900.0
    /// Seconds of the first rest after refusals that are about the sender; the next ones double. Lists and filters change
    /// their mind in minutes at best.
    package var firstBlockPauseSeconds = 300.0
    /// The longest of them, in seconds.
    package var maximumBlockPauseSeconds = 3_600.0
    /// Seconds after which a probe that brought no answer is given up and sent anew.
    package var probeSeconds = 120.0

    package init() {}
}
