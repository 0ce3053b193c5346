import Foundation
import Testing

/// Judges a run by the sink's log and by SQL alone, with none of Sluice's code between: promises P1 to P5 and the
/// books.
struct FaultChecker {
    let sinkLog: String
    let console: SQLConsole
    /// All that the account was ever given.
    let credits: Int
    /// Every address of the campaign.
    let recipients: Set<String>
    /// Those that must not have been dialled.
    var suppressed: Set<String> = []

    /// What the sink wrote of one recipient.
    struct Traffic {
        /// How often the mail was taken, with or without an answer.
        var copies = 0
        /// How often it was refused for good.
        var refusals = 0
        var messageIDs: Set<String> = []
    }

    struct Summary: CustomStringConvertible {
        let delivered, bounced, inDoubt, resent, surplus: Int
        /// Between the sink's first and last line.
        let seconds: Int
        var description: String {
            "\(delivered) delivered, \(bounced) bounced, \(inDoubt) in doubt, \(resent) resent in doubt, "
                + "\(surplus) copies too many, \(seconds) s"
        }
    }

    private static func seconds(_ sinkLog: String) throws -> Int {
        let times = try String(contentsOfFile: sinkLog, encoding: .utf8).split(separator: "\n")
            .compactMap { $0.split(separator: "\t").first.flatMap { Int($0) } }
        return ((times.max() ?? 0) - (times.min() ?? 0)) / 1_000
    }

    static func traffic(_ sinkLog: String) throws -> [String: Traffic] {
        var traffic: [String: Traffic] = [:]
        for line in try String(contentsOfFile: sinkLog, encoding: .utf8).split(separator: "\n") {
            let fields = line.split(separator: "\t")
            try #require(fields.count == 5, "a line of the sink's log has five columns: \(line)")
            var known = traffic[String(fields[3])] ?? Traffic()
            switch fields[1] {
            case "accepted", "dropped":
                known.copies += 1
                known.messageIDs.insert(String(fields[4]))
            case "permanent": known.refusals += 1
            default: break
            }
            traffic[String(fields[3])] = known
        }
        return traffic
    }

    /// The books at any moment, whatever is under way: what is held is what open holds say, every entry follows from
    /// the one before, and the account's own numbers are those of its last entry.
    func checkBooks(sourceLocation: SourceLocation = #_sourceLocation) throws {
        let wrong = try console.rows(
            """
            BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY;
            SELECT 'held', a.account_id FROM accounts a
            WHERE a.held <> (SELECT coalesce(sum(h.amount), 0) FROM holds h
                WHERE h.account_id = a.account_id AND h.state = 'open');
            SELECT 'overdrawn', account_id FROM accounts WHERE posted - held < -credit_limit;
            SELECT 'chain', account_id, entry_no FROM (
                SELECT *, lag(posted_after, 1, 0::bigint) OVER w AS posted, lag(held_after, 1, 0::bigint) OVER w AS was,
                    lag(entry_no, 1, 0::bigint) OVER w AS previous
                FROM ledger_entries WINDOW w AS (PARTITION BY account_id ORDER BY entry_no)) e
            WHERE posted_before <> posted OR held_before <> was OR entry_no <> previous + 1;
            SELECT 'head', a.account_id FROM accounts a
            LEFT JOIN ledger_entries e ON e.account_id = a.account_id AND e.entry_no = a.entry_count
            WHERE (e.posted_after, e.held_after) IS DISTINCT FROM (a.posted, a.held)
                OR EXISTS (SELECT FROM ledger_entries l WHERE l.account_id = a.account_id AND l.entry_no > a.entry_count);
            SELECT 'settled twice', account_id, campaign_id, batch_no FROM ledger_entries WHERE kind = 'settle'
            GROUP BY account_id, campaign_id, batch_no HAVING count(*) > 1;
            -- The parts of a batch are batches of their own, and not always held under their own numbers.
            SELECT 'charge', account_id, campaign_id
            FROM (SELECT account_id, campaign_id, sum(charged) AS charged FROM holds
                WHERE state = 'resolved' GROUP BY 1, 2) h
            JOIN (SELECT account_id, campaign_id, sum(delivered) AS delivered FROM batches
                WHERE state = 3 GROUP BY 1, 2) b USING (account_id, campaign_id)
            WHERE charged <> delivered;
            COMMIT;
            """)
        #expect(wrong.isEmpty, "the books do not add up: \(wrong)", sourceLocation: sourceLocation)
    }

    /// Attempts at a recipient who is refused for his sender: the default of `--block-attempts`.
    private static let mostAttempts = 10

    /// The end of the account's only campaign.
    @discardableResult
    func checkEnd(sourceLocation: SourceLocation = #_sourceLocation) throws -> Summary {
        let here = sourceLocation
        try checkBooks(sourceLocation: here)
        let counts = try console.numbers(
            """
            SELECT recipients, delivered, bounced, expired, suppressed, invalid, cancelled, in_doubt, deferred,
                in_doubt_resent, open_batches, (state = 'completed' AND purged_at IS NOT NULL)::int
            FROM campaigns
            """)
        try #require(counts.count == 12, "one campaign", sourceLocation: here)
        let (delivered, bounced, inDoubt, resent) = (counts[1], counts[2], counts[7], counts[9])
        // P1: each has one final outcome, and nothing is left over.
        #expect(counts[11] == 1, "completed and purged", sourceLocation: here)
        #expect(counts[0] == recipients.count, sourceLocation: here)
        #expect(counts[1...7].reduce(0, +) == recipients.count, "outcomes: \(counts)", sourceLocation: here)
        #expect(counts[8] == 0 && counts[10] == 0, sourceLocation: here)
        #expect(counts[4] == suppressed.count, sourceLocation: here)
        for table in ["batch_recipients", "batch_results", "journal", "campaign_content"] {
            #expect(try console.number("SELECT count(*) FROM \(table)") == 0, "\(table)", sourceLocation: here)
        }

        // P2: charged once for each delivered, all holds resolved.
        let charged = try console.numbers(
            "SELECT coalesce(sum(charged), 0), count(*) FILTER (WHERE state <> 'resolved') FROM holds")
        #expect(charged == [delivered, 0], sourceLocation: here)
        #expect(
            try console.numbers("SELECT posted, held FROM accounts") == [credits - delivered, 0], sourceLocation: here)

        // P3 and P5: what the sink saw.
        let traffic = try Self.traffic(sinkLog)
        #expect(recipients.isSuperset(of: traffic.keys), "only recipients were named", sourceLocation: here)
        #expect(suppressed.isDisjoint(with: traffic.keys), "nobody suppressed was named", sourceLocation: here)
        let taken = traffic.filter { $0.value.copies > 0 }
        let surplus = taken.values.reduce(0) { $0 + $1.copies - 1 }
        #expect(taken.count >= delivered, "delivered means that the sink has it", sourceLocation: here)
        #expect(taken.count <= delivered + inDoubt + resent, "who has it counts as delivered", sourceLocation: here)
        #expect(surplus <= resent + inDoubt, "second copies are on record", sourceLocation: here)
        #expect(
            taken.values.allSatisfy { $0.messageIDs.count == 1 }, "copies have the same Message-ID",
            sourceLocation: here)
        #expect(
            traffic.values.allSatisfy {
                $0.refusals <= Self.mostAttempts + resent && ($0.refusals == 0 || $0.copies == 0)
            }, "a refusal for good is final, or tried as often as a block is", sourceLocation: here)
        return Summary(
            delivered: delivered, bounced: bounced, inDoubt: inDoubt, resent: resent, surplus: surplus,
            seconds: try Self.seconds(sinkLog))
    }
}
