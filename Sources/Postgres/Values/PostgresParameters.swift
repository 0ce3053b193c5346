/// The values bound to a statement: all in one run of bytes, so that binding costs few allocations.
struct PostgresParameters: Sendable {
    private(set) var types: [PostgresType] = []
    private(set) var bytes: [UInt8] = []
    /// Where each value starts in ``bytes``, and its length; length -1 stands for NULL.
    private(set) var slices: [(start: Int, length: Int)] = []

    var count: Int { types.count }

    mutating func reserve(_ count: Int) {
        types.reserveCapacity(count)
        slices.reserveCapacity(count)
        bytes.reserveCapacity(count * 16)
    }

    mutating func append<Value: PostgresEncodable>(_ value: Value) {
        types.append(Value.postgresType)
        let start = bytes.count
        if value.isPostgresNull {
            slices.append((start, -1))
        } else {
            value.encode(into: &bytes)
            slices.append((start, bytes.count - start))
        }
    }
}
