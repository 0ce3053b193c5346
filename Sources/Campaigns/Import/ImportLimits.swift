import MailMessage

/// The bounds of an upload of recipients, in one place.
package enum ImportLimits {
    /// A longer line is one bad line; it is skipped without being kept.
    package static let lineOctets = 65_536
    /// A longer line refuses the upload: it is not a list of recipients.
    package static let refusedLineOctets = 8 * 1_024 * 1_024
    /// Merge variables of a recipient, and fields of each object inside one.
    package static let variables = 100
    package static let variableNameOctets = 128
    /// What a mail's To field takes, so that nobody is accepted who cannot be mailed.
    package static let nameOctets = MessageLimits.displayNameOctets
    /// Objects and lists inside each other, the line's own object included.
    package static let nestingDepth = 8
    package static let recipientsPerCampaign = 10_000_000
    /// Of a test campaign, whose mail is free.
    package static let recipientsPerTest = 10_000
    /// Addresses of one list to suppress.
    package static let suppressions = 1_000_000
    /// Bad lines that a report names. Further ones are only counted.
    package static let reportedLines = 1_000
    /// A batch ends early where it would grow beyond this, so that memory is bounded however long the lines are.
    package static let batchOctets = 1_024 * 1_024
    /// From its beginning to its end, in seconds.
    package static let uploadSeconds = 3_600
    /// What is left of an upload that began so many seconds ago belongs to nobody any more.
    package static let sweptAfterSeconds = 7_200
    /// Batches stored by one statement: so many, or fewer where they reach ``batchOctets`` together.
    package static let batchesPerWrite = 4
}
