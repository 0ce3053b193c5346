/// What became of the lines of an upload. `accepted + duplicates + invalid` is the number of lines that are not empty.
package struct ImportReport: Codable, Sendable, Hashable {
    package struct Line: Codable, Sendable, Hashable {
        /// From 1. A CSV record that spans several lines is named by its first.
        package let line: Int
        /// A stable name for programs, such as `address_no_domain`.
        package let code: String
        /// For people; never quotes the line.
        package let reason: String

        package init(line: Int, code: String, reason: String) {
            self.line = line
            self.code = code
            self.reason = reason
        }
    }

    /// Recipients added to the campaign, the suppressed ones among them.
    package var accepted = 0
    /// Lines dropped because their normalised address is in the campaign already.
    package var duplicates = 0
    /// Those of ``accepted`` that are on the account's suppression list: neither charged nor dialled.
    package var suppressed = 0
    /// Lines dropped because something is wrong with them.
    package var invalid = 0
    /// The first ``ImportLimits/reportedLines`` invalid lines.
    package var errors: [Line] = []

    package init() {}

    mutating func addInvalid(line: Int, _ error: LineError) {
        invalid += 1
        guard errors.count < ImportLimits.reportedLines else { return }
        errors.append(Line(line: line, code: error.code, reason: error.reason))
    }
}
