package import MailTypes

/// Whom one rendering is for. Its description hides all of it.
package struct MergeRecipient: Sendable, Hashable, CustomStringConvertible {
    package var address: EmailAddress
    /// The display name in To, and the variable `name` where `variables` has none. Empty counts as nil.
    package var name: String?
    package var variables: MergeVariables

    package init(address: EmailAddress, name: String? = nil, variables: MergeVariables = MergeVariables()) {
        self.address = address
        self.name = name
        self.variables = variables
    }

    package var description: String { address.description }
}
