/// The header row of a CSV upload: which column is what. Space around column names is dropped; `email` and `name` are
/// found in any case, other names are kept as written, for templates tell case apart.
struct CSVHeader {
    enum Column: Hashable {
        case email
        case name
        case variable(String)
    }

    let columns: [Column]
    /// Columns that are variables.
    let variableCount: Int

    /// - Parameter line: for the error.
    init(_ record: Span<UInt8>, line: Int) throws(ImportError) {
        var columns: [Column] = []
        do {
            var row = CSVRow()
            try row.split(record)
            for field in row.fields {
                columns.append(try row.value(field, of: record, Self.column))
            }
        } catch {
            throw ImportError(.csvBadHeader, line: line, "the header row is refused: \(error.reason)")
        }
        guard Set(columns).count == columns.count else {
            throw ImportError(.csvBadHeader, line: line, "two columns have the same name")
        }
        guard columns.contains(.email) else {
            throw ImportError(
                .csvNoEmailColumn, line: line, "no column is named email; columns are separated by commas")
        }
        variableCount = columns.count { $0 != .email && $0 != .name }
        guard variableCount <= ImportLimits.variables else {
            throw ImportError(
                .csvBadHeader, line: line, "there are more than \(ImportLimits.variables) columns for variables")
        }
        self.columns = columns
    }

    private static func column(_ octets: Span<UInt8>) throws(LineError) -> Column {
        let name = try LineText.variableName(octets.extracting(LineText.trimmed(octets)))
        switch name.lowercased() {
        case "email": return .email
        case "name": return .name
        default: return .variable(name)
        }
    }
}
