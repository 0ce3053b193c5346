import Campaigns
import MailMessage
import MailTypes
import Postgres
import SendingDomains

/// What campaigns of 1,000 recipients cost the database on their way from the send to the purge.
final class CampaignTrial {
    private let records: Records
    private let filler: TableFiller
    private var drafts: [CampaignID]

    private static let (batches, batchSize) = (10, 100)
    private static let node = "bench"

    private init(_ records: Records, _ filler: TableFiller, _ drafts: [CampaignID]) {
        self.records = records
        self.filler = filler
        self.drafts = drafts
    }

    /// Writes the drafts of two measurements: a full account may have no more.
    static func drafted(_ records: Records, _ filler: TableFiller) async throws -> CampaignTrial {
        let domain = "bench.example"
        _ = try await records.domains.add(filler.account, try DomainName(domain))
        let content = MessageContent(
            from: try Mailbox(name: "Bench", address: EmailAddress("news@\(domain)")), subject: "Full tables",
            text: "Hello {{name|friend}}")
        let lines = (0..<batches * batchSize).map { #"{"email": "person\#($0)@site\#($0 % 50).example"}"# + "\n" }
        var drafts: [CampaignID] = []
        for _ in 0..<2 * RecordsBenchmark.runs {
            let campaign = try await asCustomer(filler) {
                try await records.customers.campaigns.create(
                    filler.account, CampaignRequest(content: content, batchSize: batchSize))
            }
            let upload = AsyncStream<[UInt8]> { continuation in
                continuation.yield(Array(lines.joined().utf8))
                continuation.finish()
            }
            _ = try await asCustomer(filler) {
                try await records.customers.campaigns.importRecipients(
                    filler.account, campaign.id, format: .ndjson, source: upload)
            }
            drafts.append(campaign.id)
        }
        return CampaignTrial(records, filler, drafts)
    }

    private static func asCustomer<T>(_ filler: TableFiller, _ work: () async throws -> T) async throws -> T {
        try await ConnectionOwner.$current.withValue(.account(filler.account.rawValue)) { try await work() }
    }

    func measure() async throws -> [RecordsBenchmark.Measure] {
        try await filler.rest(true)
        var times: [String: [Double]] = [:]
        for campaign in drafts.suffix(RecordsBenchmark.runs) {
            try await deliver(campaign) { step, milliseconds in times[step, default: []].append(milliseconds) }
        }
        drafts.removeLast(RecordsBenchmark.runs)
        try await filler.rest(false)
        return Step.allCases.map { step in
            RecordsBenchmark.Measure(
                name: step.rawValue, milliseconds: [RecordsBenchmark.median(times[step.rawValue] ?? [])])
        }
    }

    private enum Step: String, CaseIterable {
        case send = "send of 10 batches"
        case claim = "their claim, opened"
        case journal = "journal of 1,000 outcomes, 10 batches in one call"
        case settlement = "settlement of a batch"
        case purge = "end and purge"
    }

    private func deliver(_ campaign: CampaignID, _ note: (String, Double) -> Void) async throws {
        let (account, delivery) = (filler.account, records.delivery)
        func time<T>(_ step: Step, _ work: () async throws -> T) async throws -> T {
            let start = ContinuousClock.now
            defer { note(step.rawValue, (ContinuousClock.now - start) / .milliseconds(1)) }
            return try await work()
        }
        _ = try await time(.send) {
            try await Self.asCustomer(filler) { try await records.customers.campaigns.send(account, campaign) }
        }
        let claimed = try await time(.claim) {
            try await delivery.claim(node: Self.node, leaseSeconds: 60, limit: 64)
        }
        guard claimed.count == Self.batches, claimed.allSatisfy({ $0.id.campaign == campaign }) else {
            throw CommandFailure("claimed \(claimed.count) batches instead of the campaign's \(Self.batches)")
        }
        let groups = claimed.map { batch in
            JournalGroup(
                batch: batch.id, epoch: batch.epoch,
                entries: batch.records.map {
                    JournalEntry(index: $0.index, kind: .outcome(.delivered), replyCode: 250, text: "taken")
                })
        }
        _ = try await time(.journal) { try await delivery.append(node: Self.node, groups) }
        for batch in claimed {
            let settlement = BatchSettlement(
                results: batch.records.map { RecipientResult(index: $0.index, outcome: .delivered) })
            _ = try await time(.settlement) {
                try await delivery.settle(batch.id, node: Self.node, epoch: batch.epoch, settlement)
            }
        }
        let certificate = try await time(.purge) { try await delivery.complete(account, campaign) }
        guard certificate?.counters.delivered == Self.batches * Self.batchSize else {
            throw CommandFailure("the campaign was not purged with all its mail delivered")
        }
    }
}
