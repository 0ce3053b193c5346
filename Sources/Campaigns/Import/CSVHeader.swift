import MailTypes

/// The header row of a CSV upload: which column is what.
///
/// Space around column names is dropped. The column of the addresses is the one named `email`, in any case; without
/// one, `E-Mail`, `email_address`, `Mail` and their like (``emailNames``). `name` is found in any case too. Other names
/// are kept as written, for templates tell case apart; so `Name` and `E-Mail` are variables under their own spelling too.
/// A column without a name may hold nothing.
struct CSVHeader {
    enum Column: Hashable {
        case email
        case name
        case variable(String)
        case unnamed
    }

    let columns: [Column]
    /// As what a column of addresses or names is known beside `email` and `name`; nil for other columns.
    let spellings: [String?]
    let separator: CSVSeparator
    /// Which column holds the addresses, from 0.
    let emailIndex: Int
    /// Columns that are variables.
    let variableCount: Int

    /// - Parameters:
    ///   - separator: as the client said; nil: the one that shows a column of addresses
    ///   - line: for the error.
    init(_ record: Span<UInt8>, separator: CSVSeparator?, line: Int) throws(ImportError) {
        let separator = separator ?? Self.separator(of: record)
        self.separator = separator
        let names = try Self.names(record, separator, line)
        let email = try Self.emailColumn(names, line)
        guard let email else { throw Self.noEmailColumn(record, names, separator, line) }
        emailIndex = email
        var columns: [Column] = []
        for (index, name) in names.enumerated() {
            let column: Column =
                switch name {
                case _ where index == email: .email
                case "": .unnamed
                case _ where name.lowercased() == "name": .name
                default: .variable(name)
                }
            if column != .unnamed, let other = columns.firstIndex(of: column) {
                throw ImportError(
                    .csvBadHeader, line: line, column: index + 1,
                    "columns \(other + 1) and \(index + 1) have the same name")
            }
            columns.append(column)
        }
        variableCount = columns.count { if case .variable = $0 { true } else { false } }
        guard variableCount <= ImportLimits.variables else {
            throw ImportError(
                .csvBadHeader, line: line,
                "there are \(variableCount) columns for variables, more than \(ImportLimits.variables)")
        }
        self.columns = columns
        spellings = zip(columns, names).map { column, name in
            (column == .email && name != "email") || (column == .name && name != "name") ? name : nil
        }
    }

    /// The separator that a first line `sep=;` names, as one spreadsheet writes for itself.
    static func separatorLine(_ record: Span<UInt8>) -> CSVSeparator? {
        guard let text = try? LineText.string(record), text.utf8.count <= 7 else { return nil }
        let bare = text.filter { $0 != "\"" }.lowercased()
        guard bare.hasPrefix("sep=") else { return nil }
        return CSVSeparator(rawValue: String(bare.dropFirst(4)))
    }

    // MARK: Columns

    /// Spellings of the column of addresses, without everything but letters.
    static let emailNames: Set<String> = [
        "email", "emailaddress", "emailadresse", "adresseemail", "mail", "mailaddress",
    ]

    private static func isEmail(_ name: String) -> Bool {
        emailNames.contains(name.lowercased().filter(\.isLetter))
    }

    private static func names(
        _ record: Span<UInt8>, _ separator: CSVSeparator, _ line: Int
    ) throws(ImportError) -> [String] {
        var names: [String] = []
        var row = CSVRow(separator)
        do {
            try row.split(record)
        } catch {
            throw ImportError(.csvBadHeader, line: line, "the header row is refused: \(error.reason)")
        }
        for field in row.fields {
            do {
                names.append(try row.value(field, of: record, name))
            } catch {
                throw ImportError(
                    .csvBadHeader, line: line, column: names.count + 1, "the header row is refused: \(error.reason)")
            }
        }
        return names
    }

    /// Empty where the column has none.
    private static func name(_ octets: Span<UInt8>) throws(LineError) -> String {
        let octets = octets.extracting(LineText.trimmed(octets))
        return octets.isEmpty ? "" : try LineText.variableName(octets)
    }

    private static func emailColumn(_ names: [String], _ line: Int) throws(ImportError) -> Int? {
        let named = names.indices.filter { names[$0].lowercased() == "email" }
        let similar = named.isEmpty ? names.indices.filter { isEmail(names[$0]) } : named
        guard similar.count <= 1 else {
            throw ImportError(
                .csvBadHeader, line: line, column: similar[1] + 1,
                named.isEmpty
                    ? "columns \(similar[0] + 1) and \(similar[1] + 1) may both hold the addresses; name one of them email"
                    : "columns \(similar[0] + 1) and \(similar[1] + 1) are both named email")
        }
        return similar.first
    }

    // MARK: Separator

    /// The separator that shows a column of addresses, the one with most columns; else the one with most columns.
    private static func separator(of record: Span<UInt8>) -> CSVSeparator {
        var best = (separator: CSVSeparator.comma, hasEmail: false, columns: 0)
        for separator in CSVSeparator.allCases {
            guard let names = try? names(record, separator, 1) else { continue }
            let hasEmail = names.contains(where: isEmail)
            if (hasEmail ? 1 : 0, names.count) > (best.hasEmail ? 1 : 0, best.columns) {
                best = (separator, hasEmail, names.count)
            }
        }
        return best.separator
    }

    /// Whether a line is a header row with a column of addresses: a list without JSON.
    static func isHeader(_ record: Span<UInt8>) -> Bool {
        CSVSeparator.allCases.contains { separator in
            (try? names(record, separator, 1))?.contains(where: isEmail) ?? false
        }
    }

    private static func noEmailColumn(
        _ record: Span<UInt8>, _ names: [String], _ separator: CSVSeparator, _ line: Int
    ) -> ImportError {
        if let address = names.firstIndex(where: { (try? EmailAddress($0)) != nil }) {
            return ImportError(
                .csvNoEmailColumn, line: line, column: address + 1,
                "the first row holds an address; a header row that names the columns, one of them email, comes first")
        }
        let columns = names.count == 1 ? "the only column" : "none of the \(names.count) columns"
        return ImportError(
            .csvNoEmailColumn, line: line,
            "\(columns) is \(names.count == 1 ? "not " : "")named email; columns are separated by comma, semicolon, tab or |"
        )
    }
}
