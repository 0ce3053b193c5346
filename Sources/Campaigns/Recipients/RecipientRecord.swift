package import MailMessage
package import MailTypes

/// One recipient of a campaign, as a batch keeps it until it has an outcome.
package struct RecipientRecord: Sendable, Hashable {
    /// Position in the campaign, from 0. It stays the same when a retry moves the recipient to a later batch.
    package var index: Int32
    /// How many attempts came before.
    package var attempt: UInt8
    /// How often a mail was sent again because the answer to one before it was lost; at most ``mostResends``.
    package var resends: UInt8 = 0
    /// The address was on the account's suppression list when it was imported: never dialled, never charged.
    package var isSuppressed: Bool
    /// When the first attempt was made, in seconds since 1970; 0 before it.
    package var firstAttemptAt: Int64
    package var address: EmailAddress
    /// Display name for the To field.
    package var name: String?
    /// Read anew at each call where the record comes from a batch.
    package var variables: MergeVariables {
        get { storedVariables.read() }
        set { storedVariables = StoredVariables(newValue) }
    }
    private var storedVariables: StoredVariables

    package static let mostResends: UInt8 = 31

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
        storedVariables = StoredVariables(variables)
    }

    /// The recipient's mail is done with: the variables are not asked for again, here and in copies of the record.
    package func releaseVariables() { storedVariables.release() }

    mutating func keep(_ variables: StoredVariables) { storedVariables = variables }

    /// Adds mails that were sent again, as far as can be counted.
    package mutating func count(resends more: Int) {
        resends = UInt8(min(Int(resends) + more, Int(Self.mostResends)))
    }
}
