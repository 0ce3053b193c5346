import Postgres

extension FeedbackIntake {
    /// Reports come in as long as the tokens of their mails are believed. A month later nobody asks for a fact any more.
    package static let monthsKept: Int32 = 14

    /// Forgets facts that are older, some thousands at a time.
    ///
    /// - Returns: how many
    package func sweep() async throws -> Int {
        var swept = 0
        while true {
            // By `now`: no index is searched by a time that is another for each row.
            let count = try await records.query(
                """
                DELETE FROM feedback_facts WHERE ctid = ANY (ARRAY(
                    SELECT ctid FROM feedback_facts
                    WHERE noted_at < now() - make_interval(months => \(Self.monthsKept))
                    LIMIT \(Self.sweptAtOnce) FOR UPDATE SKIP LOCKED))
                """
            ).affected
            swept += count
            if count < Int(Self.sweptAtOnce) { return swept }
        }
    }

    private static let sweptAtOnce: Int32 = 10_000
}
