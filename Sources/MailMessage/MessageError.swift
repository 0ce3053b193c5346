/// Why a message was refused at submission. Nothing of it was stored or sent.
package struct MessageError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Stable names: the API passes them on as `code`.
    package enum Code: String, Sendable, Hashable, CaseIterable {
        /// CR, LF, NUL or another control character in a header, a name or an address.
        case headerInjection = "header_injection"
        case invalidAddress = "invalid_address"
        case invalidDisplayName = "invalid_display_name"
        case tooManyReplyTo = "too_many_reply_to"
        case invalidHeaderName = "invalid_header_name"
        /// A header that Sluice writes itself, or that only mail servers may write.
        case reservedHeader = "reserved_header"
        case tooManyHeaders = "too_many_headers"
        case headerTooLong = "header_too_long"
        case subjectTooLong = "subject_too_long"
        /// A custom header in two spellings: names of fields tell no case apart (RFC 5322 §1.2.2, §3.6).
        case duplicateHeader = "duplicate_header"
        /// What is no URI that List-Unsubscribe may hold, or too many of them.
        case invalidUnsubscribe = "invalid_list_unsubscribe"
        /// Nothing but white space as the subject.
        case noSubject = "no_subject"
        /// Neither html nor text with anything to see.
        case noBody = "no_body"
        case bodyTooLarge = "body_too_large"
        /// NUL in a template.
        case invalidCharacter = "invalid_character"
        /// `{{` without its `}}`, or a section that is never closed.
        case unbalancedTag = "unbalanced_tag"
        /// A closing tag that names another section than the one open, or one that was never opened.
        case unknownSection = "unknown_section"
        /// Partials, delimiter changes, blocks and other signs that this language does not have.
        case unsupportedTag = "unsupported_tag"
        /// An empty or malformed name in a tag.
        case invalidTag = "invalid_tag"
        case tooManyTags = "too_many_tags"
        case sectionsTooDeep = "sections_too_deep"
        case invalidAttachment = "invalid_attachment"
        case tooManyAttachments = "too_many_attachments"
        case attachmentTooLarge = "attachment_too_large"
        case messageTooLarge = "message_too_large"
        /// Stored content that this version cannot read.
        case undecodable = "undecodable"
    }

    package let code: Code
    /// For people: which part, which line, which bound. Holds no address, no name and no message text.
    package let detail: String
    /// Where in the request the fault is, as the API names it: `html`, `headers.X-Campaign`, `attachments.0.filename`.
    package var field: String?

    package init(_ code: Code, _ detail: String, field: String? = nil) {
        self.code = code
        self.detail = detail
        self.field = field
    }

    /// Names the field of what `body` refuses, unless `body` knows it better.
    static func locating<Value>(
        _ field: String, _ body: () throws(MessageError) -> Value
    ) throws(MessageError) -> Value {
        do throws(MessageError) {
            return try body()
        } catch {
            throw MessageError(error.code, error.detail, field: error.field ?? field)
        }
    }

    package var description: String { "\(code.rawValue): \(detail)" }
}
