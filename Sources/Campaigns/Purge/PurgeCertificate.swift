import Crypto
import FoundationEssentials
package import MailTypes

/// Says what was destroyed when a campaign ended. It holds no personal data and stays.
///
/// ``json`` is the certificate; its last member, `digest`, is the SHA-256 of all others in exactly this form: one JSON
/// object, names sorted, no white space. The ledger's purge entry repeats the digest, and the ledger is chained, so a
/// certificate cannot be changed or made up later.
package struct PurgeCertificate: Sendable, Hashable {
    package let account: AccountID
    package let campaign: CampaignID
    /// `completed` or `cancelled`.
    package let state: CampaignState
    package let counters: CampaignCounters
    /// Why recipients bounced or expired. Left out of the text where nothing was counted.
    package var reasons = CampaignReasons()
    /// Rows destroyed, by table.
    package let rows: [String: Int64]
    /// Octets of sealed data destroyed.
    package let bytes: Int64
    /// Seconds since 1970. Without the key every copy of the sealed data is unreadable.
    package let keyDestroyedAt: Int64
    /// Seconds since 1970.
    package let completedAt: Int64

    /// What the digest is taken over.
    package var canonicalText: String { "{" + members + "}" }

    package var digest: [UInt8] { Array(SHA256.hash(data: Array(canonicalText.utf8))) }

    package var digestText: String { digest.hexadecimal }

    package var json: String { "{" + members + #","digest":"\#(digestText)"}"# }

    /// Numbers and plain ASCII words only, so that nothing needs escaping.
    private var members: String {
        let counted = Outcome.allCases.map { (name: $0.name, count: Int64(counters[$0])) }
        let reasons = reasons.counts.sorted { $0.key.name < $1.key.name }.map { outcome, counts in
            #""\#(outcome.name)":"# + Self.object(counts.map { (name: $0.key, count: $0.value) })
        }
        let told = reasons.isEmpty ? [] : [#""reasons":{"# + reasons.joined(separator: ",") + "}"]
        return
            ([
                #""account":"\#(account)""#,
                #""bytes":\#(bytes)"#,
                #""campaign":"\#(campaign)""#,
                #""completed_at":"\#(Self.time(completedAt))""#,
                #""counters":"# + Self.object(counted + [("in_doubt_resent", Int64(counters.inDoubtResent))]),
                #""key_destroyed_at":"\#(Self.time(keyDestroyedAt))""#,
            ] + told + [
                #""recipients":\#(counters.recipients)"#,
                #""rows":"# + Self.object(rows.map { (name: $0.key, count: $0.value) }),
                #""state":"\#(state.rawValue)""#,
                #""version":1"#,
            ]).joined(separator: ",")
    }

    private static func object(_ members: [(name: String, count: Int64)]) -> String {
        "{" + members.sorted { $0.name < $1.name }.map { #""\#($0.name)":\#($0.count)"# }.joined(separator: ",") + "}"
    }

    private static func time(_ seconds: Int64) -> String {
        Date(timeIntervalSince1970: Double(seconds)).formatted(.iso8601)
    }
}

extension PurgeCertificate {
    /// Reads a stored certificate.
    ///
    /// - Throws: ``CampaignError`` `.malformedRecord` where the text was altered.
    init(json: String) throws(CampaignError) {
        guard let stored = try? JSONDecoder().decode(Stored.self, from: Data(json.utf8)),
            let certificate = stored.value,
            certificate.json == json
        else { throw CampaignError(.malformedRecord, "the stored certificate was altered") }
        self = certificate
    }

    private struct Stored: Decodable {
        let account: String
        let bytes: Int64
        let campaign: String
        let completed_at: String
        let counters: [String: Int]
        let key_destroyed_at: String
        let reasons: [String: [String: Int64]]?
        let recipients: Int
        let rows: [String: Int64]
        let state: String

        var value: PurgeCertificate? {
            guard let account = AccountID(account), let campaign = CampaignID(campaign),
                let state = CampaignState(rawValue: state), let completedAt = Self.seconds(completed_at),
                let keyDestroyedAt = Self.seconds(key_destroyed_at)
            else { return nil }
            var counted = CampaignCounters()
            counted.recipients = recipients
            counted.delivered = counters[Outcome.delivered.name] ?? 0
            counted.bounced = counters[Outcome.bounced.name] ?? 0
            counted.expired = counters[Outcome.expired.name] ?? 0
            counted.suppressed = counters[Outcome.suppressed.name] ?? 0
            counted.invalid = counters[Outcome.invalid.name] ?? 0
            counted.cancelled = counters[Outcome.cancelled.name] ?? 0
            counted.inDoubt = counters[Outcome.inDoubt.name] ?? 0
            counted.inDoubtResent = counters["in_doubt_resent"] ?? 0
            var told: [Outcome: [String: Int64]] = [:]
            for (name, counts) in reasons ?? [:] {
                guard let outcome = Outcome(name: name) else { return nil }
                told[outcome] = counts
            }
            return PurgeCertificate(
                account: account, campaign: campaign, state: state, counters: counted,
                reasons: CampaignReasons(counts: told), rows: rows, bytes: bytes,
                keyDestroyedAt: keyDestroyedAt, completedAt: completedAt)
        }

        private static func seconds(_ text: String) -> Int64? {
            (try? Date(text, strategy: .iso8601)).map { Int64($0.timeIntervalSince1970) }
        }
    }
}
