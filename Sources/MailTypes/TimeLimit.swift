/// The work was not done in its time.
package struct TimedOut: Error, CustomStringConvertible {
    package let limit: Duration

    package var description: String { "not done within \(limit.components.seconds) seconds" }
}

/// Does the work, or cancels it when its time is over.
///
/// - Throws: ``TimedOut``, and what the work throws
package func within<Value: Sendable>(
    _ limit: Duration, _ work: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    try await withThrowingTaskGroup(of: Value.self) { tasks in
        tasks.addTask { try await work() }
        tasks.addTask {
            try await Task.sleep(for: limit)
            throw TimedOut(limit: limit)
        }
        defer { tasks.cancelAll() }
        guard let value = try await tasks.next() else { throw TimedOut(limit: limit) }
        return value
    }
}
