/// An instant, as a `timestamptz` column holds it, in microseconds.
package struct PostgresTimestamp: Hashable, Sendable, Comparable {
    /// Microseconds since 1970-01-01T00:00:00Z.
    package let microseconds: Int64

    package init(microseconds: Int64) { self.microseconds = microseconds }

    /// Whole seconds since 1970, rounded down.
    package init(seconds: Int64) {
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000)
        microseconds = overflow ? (seconds < 0 ? .min : .max) : product
    }

    /// Whole seconds since 1970, rounded down.
    package var seconds: Int64 { microseconds.quotientRoundedDown(by: 1_000_000) }

    /// `'infinity'::timestamptz`.
    package static let infinity = PostgresTimestamp(microseconds: .max)

    package static func < (left: PostgresTimestamp, right: PostgresTimestamp) -> Bool {
        left.microseconds < right.microseconds
    }

    /// PostgreSQL counts from 2000-01-01T00:00:00Z.
    private static let epoch: Int64 = 946_684_800_000_000
}

extension PostgresTimestamp: PostgresScalar {
    package static var postgresType: PostgresType { .timestamptz }
    package static var postgresArrayType: PostgresType { .timestamptzArray }

    package func encode(into bytes: inout [UInt8]) {
        if microseconds == .max || microseconds == .min {
            bytes.appendBigEndian(microseconds)
        } else {
            let (value, overflow) = microseconds.subtractingReportingOverflow(Self.epoch)
            bytes.appendBigEndian(overflow ? Int64.min : value)
        }
    }

    package static func decode(_ bytes: RawSpan, type: PostgresType) throws(PostgresError) -> PostgresTimestamp {
        guard type == .timestamptz else { throw mismatch(type) }
        let value = try bytes.bigEndian(Int64.self)
        if value == .max || value == .min { return PostgresTimestamp(microseconds: value) }
        let (sum, overflow) = value.addingReportingOverflow(epoch)
        guard !overflow else { throw PostgresError(.decoding, "a timestamp is out of range") }
        return PostgresTimestamp(microseconds: sum)
    }
}

extension Int64 {
    fileprivate func quotientRoundedDown(by divisor: Int64) -> Int64 {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }
}
