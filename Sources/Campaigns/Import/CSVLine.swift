import MailMessage
import MailTypes

/// Reads one record of a CSV upload after its header.
struct CSVLine {
    private let header: CSVHeader
    /// Kept from record to record for its memory.
    private var row = CSVRow()

    init(_ header: CSVHeader) {
        self.header = header
    }

    mutating func parse(_ record: Span<UInt8>, number: Int) throws(LineError) -> ParsedRecipient {
        try row.split(record)
        guard row.fields.count == header.columns.count else {
            throw .csvRaggedRow(fields: row.fields.count, columns: header.columns.count)
        }
        var address: EmailAddress?
        var name: String?
        var fields: [MergeVariables.Field] = []
        fields.reserveCapacity(header.variableCount)
        for (field, column) in zip(row.fields, header.columns) {
            switch column {
            case .email:
                guard !field.range.isEmpty else { throw .emailMissing }
                address = try row.value(field, of: record) { octets throws(LineError) in
                    try LineText.address(octets.extracting(LineText.trimmed(octets)))
                }
            case .name:
                name = try row.value(field, of: record, LineText.name)
            case .variable(let key):
                let text = try row.value(field, of: record, LineText.variable)
                fields.append(MergeVariables.Field(key: key, value: .text(text)))
            }
        }
        guard let address else { throw .emailMissing }
        return ParsedRecipient(
            line: number, address: address, name: name, variables: MergeVariables(fields))
    }
}
