import MailMessage
import MailTypes

/// Reads one record of a CSV upload after its header.
struct CSVLine {
    private let header: CSVHeader
    /// Kept from record to record for its memory.
    private var row: CSVRow

    init(_ header: CSVHeader) {
        self.header = header
        row = CSVRow(header.separator)
    }

    /// Nil where all cells are blank: spreadsheets write such rows below their last one.
    mutating func parse(_ record: Span<UInt8>, number: Int) throws(LineError) -> ParsedRecipient? {
        try row.split(record)
        guard !row.fields.allSatisfy({ Self.isBlank($0, record) }) else { return nil }
        // Blank cells behind the last column belong to columns that the sheet only seems to have.
        guard row.fields.count >= header.columns.count,
            row.fields.dropFirst(header.columns.count).allSatisfy({ Self.isBlank($0, record) })
        else { throw .csvRaggedRow(fields: row.fields.count, columns: header.columns.count) }
        var recipient = (address: EmailAddress?.none, name: String?.none)
        var fields: [MergeVariables.Field] = []
        fields.reserveCapacity(header.variableCount)
        for index in header.columns.indices {
            do throws(LineError) {
                try read(index, record, &recipient, &fields)
            } catch .emailMissing {
                throw .emailMissing
            } catch {
                throw .cell(column: index + 1, error)
            }
        }
        guard let address = recipient.address else { throw .emailMissing }
        return ParsedRecipient(
            line: number, address: address, name: recipient.name, variables: MergeVariables(fields))
    }

    private func read(
        _ index: Int, _ record: Span<UInt8>, _ recipient: inout (address: EmailAddress?, name: String?),
        _ fields: inout [MergeVariables.Field]
    ) throws(LineError) {
        let field = row.fields[index]
        switch header.columns[index] {
        case .email:
            guard !Self.isBlank(field, record) else { throw .emailMissing }
            let address = try row.value(field, of: record, LineText.address)
            recipient.address = address
            if let key = header.spellings[index] { fields.append(.init(key: key, value: .text(address.text))) }
        case .name:
            recipient.name = try row.value(field, of: record, LineText.name)
            guard let key = header.spellings[index], let name = recipient.name else { return }
            fields.append(.init(key: key, value: .text(name)))
        case .variable(let key):
            fields.append(.init(key: key, value: try row.value(field, of: record, LineText.cell)))
        case .unnamed:
            guard Self.isBlank(field, record) else { throw .csvUnnamedColumn }
        }
    }

    static func isBlank(_ field: CSVRow.Field, _ record: Span<UInt8>) -> Bool {
        LineText.trimmed(record.extracting(field.range)).isEmpty
    }
}
