/// Reads a `numeric` that has no fraction; `sum(bigint)` is one.
///
/// The binary form is four 16-bit fields (number of digits, weight of the first, sign, scale), then digits to base
/// 10,000.
func decodeIntegralNumeric(_ bytes: RawSpan) throws(PostgresError) -> Int64 {
    let count = Int(try bytes.bigEndian(Int16.self, at: 0))
    let weight = Int(try bytes.bigEndian(Int16.self, at: 2))
    let sign = try bytes.bigEndian(UInt16.self, at: 4)
    guard sign == 0x0000 || sign == 0x4000 else {
        throw PostgresError(.decoding, "NaN or infinity is not an integer")
    }
    var value: Int64 = 0
    for position in 0..<max(count, weight + 1) {
        let digit = position < count ? Int64(try bytes.bigEndian(Int16.self, at: 8 + 2 * position)) : 0
        if position > weight {
            guard digit == 0 else { throw PostgresError(.decoding, "a number with a fraction is not an integer") }
            continue
        }
        // Negative throughout, because the least integer has no positive counterpart.
        let (shifted, overflow) = value.multipliedReportingOverflow(by: 10_000)
        let (sum, carry) = shifted.subtractingReportingOverflow(digit)
        guard !overflow, !carry else { throw PostgresError(.decoding, "a number is out of range for Int64") }
        value = sum
    }
    if sign == 0x4000 { return value }
    guard value != .min else { throw PostgresError(.decoding, "a number is out of range for Int64") }
    return -value
}
