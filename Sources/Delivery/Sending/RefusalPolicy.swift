/// How often, and whether at all, a permanent refusal is tried again.
package struct RefusalPolicy: Sendable, Hashable {
    /// No permanent refusal is believed: for the first day of an installation, when a mistake in its set-up would bounce
    /// everything. Rules that say `bounce` hold all the same.
    package var isSoft = false
    /// Attempts at a recipient after which a refusal about the sender bounces it.
    package var mostAttempts = 10
    /// The share of a campaign's answers, from 0 to 1, that may be refusals about its sender before it is paused; nil
    /// never pauses one.
    package var brakeShare: Double? = 0.3

    package init() {}
}
