/// The fields of one CSV record (RFC 4180 §2).
struct CSVRow {
    struct Field: Hashable {
        /// Octets of the field, without its outer quotes.
        let range: Range<Int>
        /// Quotes inside are doubled.
        let hasDoubledQuotes: Bool
    }

    private(set) var fields: [Field] = []
    private let separator: UInt8

    init(_ separator: CSVSeparator) {
        self.separator = separator.octet
    }

    /// Replaces the fields by those of `record`, which must not hold its final line break.
    ///
    /// - Throws: ``LineError/csvQuoteInField(column:character:)``, ``LineError/csvTextAfterQuote(column:character:)``
    mutating func split(_ record: Span<UInt8>) throws(LineError) {
        fields.removeAll(keepingCapacity: true)
        var position = 0
        while true {
            if position < record.count, record[position] == UInt8(ascii: "\"") {
                try quoted(record, &position)
            } else {
                try unquoted(record, &position)
            }
            guard position < record.count else { return }
            guard record[position] == separator else {
                throw .csvTextAfterQuote(column: fields.count, character: Self.character(position, of: record))
            }
            position += 1
        }
    }

    private mutating func unquoted(_ record: Span<UInt8>, _ position: inout Int) throws(LineError) {
        let start = position
        while position < record.count, record[position] != separator {
            guard record[position] != UInt8(ascii: "\"") else {
                throw .csvQuoteInField(column: fields.count + 1, character: Self.character(position, of: record))
            }
            position += 1
        }
        fields.append(Field(range: start..<position, hasDoubledQuotes: false))
    }

    private mutating func quoted(_ record: Span<UInt8>, _ position: inout Int) throws(LineError) {
        position += 1
        let start = position
        var hasDoubledQuotes = false
        while position < record.count {
            guard record[position] == UInt8(ascii: "\"") else {
                position += 1
                continue
            }
            guard position + 1 < record.count, record[position + 1] == UInt8(ascii: "\"") else {
                fields.append(Field(range: start..<position, hasDoubledQuotes: hasDoubledQuotes))
                position += 1
                return
            }
            hasDoubledQuotes = true
            position += 2
        }
        // The record's end was found outside quotes, or the upload was refused.
        throw .csvQuoteInField(column: fields.count + 1, character: Self.character(start - 1, of: record))
    }

    /// Which character of the record the octet begins, from 1.
    static func character(_ position: Int, of record: Span<UInt8>) -> Int {
        var count = 1
        for index in 0..<position where record[index] & 0xC0 != 0x80 { count += 1 }
        return count
    }

    /// Makes a value from the octets that `field` stands for.
    func value<Value>(
        _ field: Field, of record: Span<UInt8>, _ make: (Span<UInt8>) throws(LineError) -> Value
    ) throws(LineError) -> Value {
        guard field.hasDoubledQuotes else { return try make(record.extracting(field.range)) }
        var octets: [UInt8] = []
        octets.reserveCapacity(field.range.count)
        var position = field.range.lowerBound
        while position < field.range.upperBound {
            octets.append(record[position])
            position += record[position] == UInt8(ascii: "\"") ? 2 : 1
        }
        return try make(octets.span)
    }
}
