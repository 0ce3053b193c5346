// The scalar types: integers, truth values, floating point, text and bytes.

extension PostgresDecodable {
    static func mismatch(_ type: PostgresType) -> PostgresError {
        PostgresError(.decoding, "a column of type \(type.rawValue) does not hold \(Self.self)")
    }
}

/// Reads any integer column (int2, int4, int8, oid, or a numeric without fraction, as `sum` returns) that fits.
private func decodeInteger<Integer: FixedWidthInteger & PostgresDecodable>(
    _ bytes: RawSpan, _ type: PostgresType
) throws(PostgresError) -> Integer {
    let wide: Int64 =
        switch type {
        case .int8: try bytes.bigEndian(Int64.self)
        case .int4: Int64(try bytes.bigEndian(Int32.self))
        case .int2: Int64(try bytes.bigEndian(Int16.self))
        case .oid: Int64(try bytes.bigEndian(UInt32.self))
        case .numeric: try decodeIntegralNumeric(bytes)
        default: throw Integer.mismatch(type)
        }
    guard let value = Integer(exactly: wide) else {
        throw PostgresError(.decoding, "an integer is out of range for \(Integer.self)")
    }
    return value
}

extension Int16: PostgresScalar {
    package static var postgresType: PostgresType { .int2 }
    package static var postgresArrayType: PostgresType { .int2Array }
    package func encode(into bytes: inout [UInt8]) { bytes.appendBigEndian(self) }
    package static func decode(_ bytes: RawSpan, type: PostgresType) throws(PostgresError) -> Int16 {
        try decodeInteger(bytes, type)
    }
}

extension Int32: PostgresScalar {
    package static var postgresType: PostgresType { .int4 }
    package static var postgresArrayType: PostgresType { .int4Array }
    package func encode(into bytes: inout [UInt8]) { bytes.appendBigEndian(self) }
    package static func decode(_ bytes: RawSpan, type: PostgresType) throws(PostgresError) -> Int32 {
        try decodeInteger(bytes, type)
    }
}

extension Int64: PostgresScalar {
    package static var postgresType: PostgresType { .int8 }
    package static var postgresArrayType: PostgresType { .int8Array }
    package func encode(into bytes: inout [UInt8]) { bytes.appendBigEndian(self) }
    package static func decode(_ bytes: RawSpan, type: PostgresType) throws(PostgresError) -> Int64 {
        try decodeInteger(bytes, type)
    }
}

extension Int: PostgresScalar {
    package static var postgresType: PostgresType { .int8 }
    package static var postgresArrayType: PostgresType { .int8Array }
    package func encode(into bytes: inout [UInt8]) { bytes.appendBigEndian(Int64(self)) }
    package static func decode(_ bytes: RawSpan, type: PostgresType) throws(PostgresError) -> Int {
        try decodeInteger(bytes, type)
    }
}

extension Bool: PostgresScalar {
    package static var postgresType: PostgresType { .bool }
    package static var postgresArrayType: PostgresType { .boolArray }
    package func encode(into bytes: inout [UInt8]) { bytes.append(self ? 1 : 0) }
    package static func decode(_ bytes: RawSpan, type: PostgresType) throws(PostgresError) -> Bool {
        guard type == .bool else { throw mismatch(type) }
        return try bytes.bigEndian(UInt8.self) != 0
    }
}

extension Double: PostgresScalar {
    package static var postgresType: PostgresType { .float8 }
    package static var postgresArrayType: PostgresType { .float8Array }
    package func encode(into bytes: inout [UInt8]) { bytes.appendBigEndian(bitPattern) }
    package static func decode(_ bytes: RawSpan, type: PostgresType) throws(PostgresError) -> Double {
        switch type {
        case .float8: Double(bitPattern: try bytes.bigEndian(UInt64.self))
        case .float4: Double(Float(bitPattern: try bytes.bigEndian(UInt32.self)))
        case .int8, .int4, .int2: Double(try Int64.decode(bytes, type: type))
        default: throw mismatch(type)
        }
    }
}

extension String: PostgresScalar {
    package static var postgresType: PostgresType { .text }
    package static var postgresArrayType: PostgresType { .textArray }
    package func encode(into bytes: inout [UInt8]) { bytes.append(contentsOf: utf8) }

    /// Reads every type whose binary form is its text: text, varchar, name, json, enumerations; and jsonb.
    package static func decode(_ bytes: RawSpan, type: PostgresType) throws(PostgresError) -> String {
        switch type {
        case .bool, .bytea, .int8, .int2, .int4, .oid, .float4, .float8, .timestamptz, .numeric, .uuid:
            throw mismatch(type)
        case .void:
            return ""
        case .jsonb:
            // One octet for the version of the format comes first.
            return text(bytes.extracting(droppingFirst: Swift.min(1, bytes.byteCount)))
        default:
            return text(bytes)
        }
    }

    private static func text(_ bytes: RawSpan) -> String {
        unsafe bytes.withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
    }
}

extension UInt8: PostgresArrayElement {
    package static var postgresArrayType: PostgresType { .bytea }

    package static func encodeArray(_ elements: [UInt8], into bytes: inout [UInt8]) {
        bytes.append(contentsOf: elements)
    }

    package static func decodeArray(_ bytes: RawSpan, type: PostgresType) throws(PostgresError) -> [UInt8] {
        guard type == .bytea else { throw [UInt8].mismatch(type) }
        return unsafe bytes.withUnsafeBytes { unsafe [UInt8]($0) }
    }
}
