/// Fields as bytes that no other list of fields can yield: each is preceded by its length, and an absent one differs
/// from an empty one. Joining with a separator would let one field's text pass for the start of the next.
struct FieldEncoder {
    private(set) var bytes: [UInt8] = []

    mutating func append(_ field: some Collection<UInt8>) {
        appendBigEndian(UInt32(field.count))
        bytes.append(contentsOf: field)
    }

    mutating func append(_ field: String) { append(field.utf8) }

    mutating func append(_ field: Int64) {
        appendBigEndian(UInt32(8))
        appendBigEndian(UInt64(bitPattern: field))
    }

    mutating func append(_ field: Int64?) {
        if let field { append(field) } else { appendAbsent() }
    }

    mutating func append(_ field: String?) {
        if let field { append(field) } else { appendAbsent() }
    }

    mutating func append(_ field: [UInt8]?) {
        if let field { append(field) } else { appendAbsent() }
    }

    private mutating func appendAbsent() { appendBigEndian(UInt32.max) }

    private mutating func appendBigEndian(_ number: some FixedWidthInteger & UnsignedInteger) {
        for shift in stride(from: number.bitWidth - 8, through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: number >> shift))
        }
    }
}
