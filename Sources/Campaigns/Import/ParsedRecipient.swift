package import MailMessage
package import MailTypes

/// A good line of an upload.
package struct ParsedRecipient: Sendable, Hashable {
    /// From 1.
    package var line: Int
    package var address: EmailAddress
    /// Nil where absent or empty.
    package var name: String?
    package var variables: MergeVariables
}
