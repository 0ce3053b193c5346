/// Every bound of what a customer may submit and of what one rendering may grow to. Octets unless said otherwise.
///
/// The figures are those of `standard`; an operator may lower or raise them for the whole installation. Receivers
/// commonly stop at 25 MB for a message as transmitted, which is why `messageOctets` counts encoded octets.
package struct MessageLimits: Sendable, Hashable {
    package static let standard = MessageLimits()

    /// The subject's template, and the subject after merging.
    package var subjectOctets = 998
    /// Each of the html and the text template.
    package var bodyOctets = 2 << 20
    /// Number of attachments and inline images together.
    package var attachmentCount = 20
    /// All attachments and inline images together, before encoding.
    package var attachmentOctets = 10 << 20
    /// The whole message as transmitted: headers and encoded parts.
    package var messageOctets = 25 << 20
    /// Number of custom header fields.
    package var headerCount = 50
    /// The value of a custom header field: its template, and its text after merging.
    package var headerValueOctets = 998
    /// Number of Reply-To addresses.
    package var replyToCount = 10
    /// Number of the customer's own URIs in List-Unsubscribe.
    package var unsubscribeCount = 4
    /// Number of tags in one template.
    package var tagCount = 20_000
    /// How deep sections may nest.
    package var sectionDepth = 16
    /// How often section bodies may run in one rendering of one template. Lists inside lists multiply, so output alone
    /// would not bound the work of a section whose body is empty.
    package var repetitionCount = 100_000

    /// A display name as submitted. One that is longer after merging, or that came with a recipient, leaves shortened.
    package static let displayNameOctets = 256
    /// A display name with its values, before it is shortened.
    package static let mergedDisplayNameOctets = 65_536
    /// The name of a custom header field: with it, a first encoded word still fits on a line of its own.
    package static let headerNameOctets = 74
    /// The name of a merge variable, dots included.
    package static let variableNameOctets = 128
    /// The file name of an attachment.
    package static let filenameOctets = 255
    /// A media type with its parameters.
    package static let contentTypeOctets = 255
    /// An identifier between angle brackets: Message-ID, Content-ID.
    package static let identifierOctets = 250
    /// The Message-ID without its brackets: a token and the longest domain.
    package static let messageIDOctets = 320
    /// A List-Unsubscribe URI, and the Feedback-ID: neither can be folded, so each must fit in one line.
    package static let unfoldableOctets = 900

    package init() {}
}
