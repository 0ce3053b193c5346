import Campaigns

/// Puts recipients that are due at about the same time into one retry batch, which is due with the first of them. Those
/// that a resume brings back are in batches of their own.
struct RetryGroups {
    private struct Waiting {
        let record: RecipientRecord
        let seconds: Double
    }

    private var byResume: [Bool: [Waiting]] = [:]

    mutating func add(_ record: RecipientRecord, inSeconds seconds: Double, awaitsResume: Bool = false) {
        byResume[awaitsResume, default: []].append(Waiting(record: record, seconds: max(0, seconds)))
    }

    /// The first due first; in each, recipients in the order of the batch.
    var batches: [BatchSettlement.Retry] {
        [false, true].flatMap { awaitsResume in
            Self.groups(byResume[awaitsResume] ?? []).map { group in
                BatchSettlement.Retry(
                    group.map(\.record).sorted { $0.index < $1.index }, inSeconds: group[0].seconds,
                    latestInSeconds: group[group.count - 1].seconds, awaitsResume: awaitsResume)
            }
        }
    }

    private static func groups(_ waiting: [Waiting]) -> [[Waiting]] {
        var groups: [[Waiting]] = []
        for next in waiting.sorted(by: { $0.seconds < $1.seconds }) {
            if let first = groups.last?.first, RetryWindow.allows(first: first.seconds, own: next.seconds) {
                groups[groups.count - 1].append(next)
            } else {
                groups.append([next])
            }
        }
        return groups
    }
}
