package import MailMessage
package import MailTypes

/// One recipient of a campaign, as a batch keeps it until it has an outcome.
package struct RecipientRecord: Sendable, Hashable {
    /// Position in the campaign, from 0. It stays the same when a retry moves the recipient to a later batch.
    package var index: Int32
    /// How many attempts came before.
    package var attempt: UInt8
    /// The address was on the account's suppression list when it was imported: never dialled, never charged.
    package var isSuppressed: Bool
    /// When the first attempt was made, in seconds since 1970; 0 before it.
    package var firstAttemptAt: Int64
    package var address: EmailAddress
    /// Display name for the To field.
    package var name: String?
    package var variables: MergeVariables

    package init(
        index: Int32, attempt: UInt8 = 0, isSuppressed: Bool = false, firstAttemptAt: Int64 = 0,
        address: EmailAddress, name: String? = nil, variables: MergeVariables = MergeVariables()
    ) {
        self.index = index
        self.attempt = attempt
        self.isSuppressed = isSuppressed
        self.firstAttemptAt = firstAttemptAt
        self.address = address
        self.name = name
        self.variables = variables
    }
}
