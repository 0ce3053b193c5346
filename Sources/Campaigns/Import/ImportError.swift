/// Why an upload is refused as a whole. Nothing of it is kept. The detail quotes nothing from the upload.
package struct ImportError: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Code: String, Sendable, CaseIterable {
        /// A line beyond ``ImportLimits/refusedLineOctets``.
        case lineTooLong = "upload_line_too_long"
        /// The upload ends inside a quoted field.
        case csvUnterminatedQuote = "csv_unterminated_quote"
        /// The header row is not CSV, not UTF-8, too long, or has too many, empty, or repeated columns.
        case csvBadHeader = "csv_bad_header"
        case csvNoEmailColumn = "csv_no_email_column"
        case tooManyRecipients = "too_many_recipients"
    }

    package let code: Code
    package let detail: String
    /// The line it happened on, from 1.
    package let line: Int

    package init(_ code: Code, line: Int, _ detail: String) {
        self.code = code
        self.line = line
        self.detail = detail
    }

    package var description: String { "line \(line): \(detail)" }
}
