extension [UInt8] {
    /// Appends an integer in network byte order.
    mutating func appendBigEndian<Integer: FixedWidthInteger>(_ value: Integer) {
        unsafe Swift.withUnsafeBytes(of: value.bigEndian) { unsafe append(contentsOf: $0) }
    }
}

extension [UInt8] {
    /// Writes into a 32-bit field the number of octets that follow it.
    mutating func setLength(at field: Int) {
        let length = UInt32(truncatingIfNeeded: count - field - 4)
        for index in 0..<4 { self[field + index] = UInt8(truncatingIfNeeded: length >> (24 - 8 * UInt32(index))) }
    }
}

extension RawSpan {
    /// Reads an integer in network byte order.
    /// - Throws: ``PostgresError`` of kind `.decoding` if the span ends before it.
    func bigEndian<Integer: FixedWidthInteger & BitwiseCopyable>(
        _ type: Integer.Type, at offset: Int = 0
    ) throws(PostgresError) -> Integer {
        guard offset >= 0, offset <= byteCount - MemoryLayout<Integer>.size else {
            throw PostgresError(.decoding, "a value ends early")
        }
        return Integer(bigEndian: unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: type))
    }
}
