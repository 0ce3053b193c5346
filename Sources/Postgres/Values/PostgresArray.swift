// One-dimensional arrays in binary: the number of dimensions, a flag for NULLs, the type of the elements, the length
// and the lower bound of the dimension (32 bits each), then each element after its 32-bit length, -1 for NULL.

extension PostgresScalar {
    package static func encodeArray(_ elements: [Self], into bytes: inout [UInt8]) {
        appendArrayHeader(count: elements.count, element: postgresType, nullable: false, &bytes)
        for element in elements { appendElement(element, &bytes) }
    }

    package static func decodeArray(_ bytes: RawSpan, type: PostgresType) throws(PostgresError) -> [Self] {
        var result: [Self] = []
        try decodeElements(bytes) { (count) in
            result.reserveCapacity(count)
        } each: { (element, elementType) throws(PostgresError) in
            result.append(try decode(element, type: elementType))
        } null: { () throws(PostgresError) in
            throw PostgresError(.decoding, "NULL inside an array of \(Self.self)")
        }
        return result
    }
}

extension Array: PostgresEncodable where Element: PostgresArrayElement {
    package static var postgresType: PostgresType { Element.postgresArrayType }
    package func encode(into bytes: inout [UInt8]) { Element.encodeArray(self, into: &bytes) }
}

extension Array: PostgresDecodable where Element: PostgresArrayElement {
    package static func decode(_ bytes: RawSpan, type: PostgresType) throws(PostgresError) -> [Element] {
        try Element.decodeArray(bytes, type: type)
    }
}

/// `bytea` values can be elements: `[[UInt8]]` is a `bytea[]`.
extension Array: PostgresArrayElement where Element == UInt8 {
    package static var postgresArrayType: PostgresType { .byteaArray }
}

extension Array: PostgresScalar where Element == UInt8 {}

/// Arrays with NULLs.
extension Optional: PostgresArrayElement where Wrapped: PostgresScalar {
    package static var postgresArrayType: PostgresType { Wrapped.postgresArrayType }

    package static func encodeArray(_ elements: [Wrapped?], into bytes: inout [UInt8]) {
        let nullable = elements.contains { $0 == nil }
        appendArrayHeader(count: elements.count, element: Wrapped.postgresType, nullable: nullable, &bytes)
        for element in elements {
            if let element { appendElement(element, &bytes) } else { bytes.appendBigEndian(Int32(-1)) }
        }
    }

    package static func decodeArray(_ bytes: RawSpan, type: PostgresType) throws(PostgresError) -> [Wrapped?] {
        var result: [Wrapped?] = []
        try decodeElements(bytes) { (count) in
            result.reserveCapacity(count)
        } each: { (element, elementType) throws(PostgresError) in
            result.append(try Wrapped.decode(element, type: elementType))
        } null: { () throws(PostgresError) in
            result.append(nil)
        }
        return result
    }
}

private func appendArrayHeader(count: Int, element: PostgresType, nullable: Bool, _ bytes: inout [UInt8]) {
    bytes.reserveCapacity(bytes.count + 20 + count * 12)
    bytes.appendBigEndian(Int32(count == 0 ? 0 : 1))
    bytes.appendBigEndian(Int32(nullable ? 1 : 0))
    bytes.appendBigEndian(element.rawValue)
    guard count > 0 else { return }
    bytes.appendBigEndian(Int32(truncatingIfNeeded: count))
    bytes.appendBigEndian(Int32(1))
}

private func appendElement(_ element: some PostgresScalar, _ bytes: inout [UInt8]) {
    let start = bytes.count
    bytes.appendBigEndian(Int32(0))
    element.encode(into: &bytes)
    bytes.setLength(at: start)
}

private func decodeElements(
    _ bytes: RawSpan,
    begin: (Int) -> Void,
    each: (RawSpan, PostgresType) throws(PostgresError) -> Void,
    null: () throws(PostgresError) -> Void
) throws(PostgresError) {
    let dimensions = try bytes.bigEndian(Int32.self, at: 0)
    if dimensions == 0 { return }
    guard dimensions == 1 else { throw PostgresError(.decoding, "arrays of more than one dimension are not read") }
    let type = PostgresType(try bytes.bigEndian(UInt32.self, at: 8))
    let count = Int(try bytes.bigEndian(Int32.self, at: 12))
    begin(max(0, min(count, bytes.byteCount / 4)))
    var offset = 20
    for _ in 0..<max(0, count) {
        let length = Int(try bytes.bigEndian(Int32.self, at: offset))
        offset += 4
        if length < 0 {
            try null()
            continue
        }
        guard length <= bytes.byteCount - offset else { throw PostgresError(.decoding, "an array ends early") }
        try each(bytes.extracting(offset..<offset + length), type)
        offset += length
    }
}
