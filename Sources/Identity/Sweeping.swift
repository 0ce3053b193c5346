import Postgres

extension PostgresPool {
    /// Repeats a statement that deletes at most ``IdentityLimits/sweepRows`` rows, so that each holds few locks and for a moment,
    /// until it finds fewer.
    ///
    /// - Returns: how many rows are gone
    func sweep(_ portion: SQL) async throws -> Int {
        var count = 0
        while true {
            let gone = try await query(portion).affected
            count += gone
            if gone < IdentityLimits.sweepRows { return count }
        }
    }
}
