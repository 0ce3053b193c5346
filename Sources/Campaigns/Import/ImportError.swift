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
        /// Not the format it is said to be: JSON in place of CSV, CSV in place of NDJSON, a spreadsheet.
        case wrongFormat = "upload_wrong_format"
    }

    package let code: Code
    package let detail: String
    /// The line it happened on, from 1.
    package let line: Int
    /// The column of a CSV upload it happened in, from 1, where it is one.
    package let column: Int?

    package init(_ code: Code, line: Int, column: Int? = nil, _ detail: String) {
        self.code = code
        self.line = line
        self.column = column
        self.detail = detail
    }

    package var description: String { "line \(line)\(column.map { ", column \($0)" } ?? ""): \(detail)" }
}

/// Why an upload is refused that must have no invalid lines (``InvalidLinePolicy/reject``): its report, of what would
/// have become of it. Nothing of it is kept.
package struct InvalidLinesError: Error, Sendable, Hashable {
    package let report: ImportReport

    package init(report: ImportReport) { self.report = report }
}
