/// What a final refusal tells of an address, for later campaigns. Decided once, when the reply is there, and journalled
/// with the outcome: whoever takes the batch over decides nothing anew.
package enum AddressFinding: UInt8, CaseIterable, Sendable, Hashable {
    /// The refusal was about something else, or for now.
    case nothing = 0
    /// The receiver said for good that there is no such mailbox: it is suppressed at once.
    case missing = 1
    /// The mailbox is disabled, or its domain takes no mail: it is suppressed when several campaigns have found it so.
    case dead = 2
}
