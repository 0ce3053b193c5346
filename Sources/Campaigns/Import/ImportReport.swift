/// What became of the lines of an upload. `accepted + duplicates + invalid` is the number of lines that are not empty.
package struct ImportReport: Codable, Sendable, Hashable {
    package struct Line: Codable, Sendable, Hashable {
        /// From 1. A CSV record that spans several lines is named by its first.
        package let line: Int
        /// A stable name for programs, such as `address_no_domain`.
        package let code: String
        /// For people; never quotes the line.
        package let reason: String
        /// Of a CSV upload, from 1, where one column is at fault.
        package let column: Int?

        package init(line: Int, code: String, reason: String, column: Int? = nil) {
            self.line = line
            self.code = code
            self.reason = reason
            self.column = column
        }

        package init(line: Int, _ error: LineError) {
            self.init(line: line, code: error.code, reason: error.reason, column: error.column)
        }
    }

    /// Recipients added to the campaign, the suppressed ones among them.
    package var accepted = 0
    /// Lines dropped because their normalised address is in the campaign already.
    package var duplicates = 0
    /// Those of ``accepted`` that are on the account's suppression list: neither charged nor dialled.
    package var suppressed = 0
    /// Variables without a fallback that recipients to be mailed have no value for.
    package var lacking = LackingVariables()
    /// Lines dropped because something is wrong with them.
    package var invalid = 0
    /// The first ``ImportLimits/reportedLines`` invalid lines.
    package var errors: [Line] = []

    /// How the upload was read.
    package var format: RecipientFormat = .ndjson
    package var charset = Charset.utf8.name
    /// Of the columns of a CSV upload.
    package var separator: String?

    package init() {}

    mutating func addInvalid(line: Int, _ error: LineError) {
        invalid += 1
        guard errors.count < ImportLimits.reportedLines else { return }
        errors.append(Line(line: line, error))
    }
}
