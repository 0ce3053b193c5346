import Campaigns
import CreditLedger
import Feedback
import MailTypes
import Postgres
import TestDatabases
import TestSupport
import Testing
import Vault

/// Random histories of small campaigns, each step compared with ``CampaignModel``.
struct CampaignModelTests {
    @Test func `random histories end as the model says`() async throws {
        let fixture = try await CampaignFixture.make()
        try await CampaignHistory.preparePoison(in: fixture)
        for seed in Seed.range(1..<221) {
            var history = try await CampaignHistory(seed: seed, fixture: fixture)
            do {
                try await history.run()
            } catch {
                Issue.record("\(seed.testDescription), after \(history.log.suffix(12)): \(error)")
                throw error
            }
            guard history.isSound else { return }
        }
        #expect(try await fixture.problemsOfBooks() == [])
    }
}

/// One history: an account, a few campaigns, two nodes that claim, journal, settle, park and die.
private struct CampaignHistory {
    /// What a worker holds, or believes to hold.
    struct Claim {
        let batch: ClaimedBatch
        let node: String
        var lastGroup: JournalGroup?
        var isStale = false
    }

    let fixture: CampaignFixture
    let account: AccountID
    let credits: Int
    var random: SeededGenerator
    var models: [CampaignID: CampaignModel] = [:]
    var claims: [Claim] = []
    var log: [String] = []
    var isSound = true
    private let seed: Seed

    init(seed: Seed, fixture: CampaignFixture) async throws {
        self.seed = seed
        self.fixture = fixture
        random = SeededGenerator(seed)
        credits = Int.random(in: 4...40, using: &random)
        account = try await fixture.account("seed \(seed)", credits: Int64(credits))
    }

    mutating func run() async throws {
        try await create()
        for _ in 0..<Int.random(in: 15...45, using: &random) where isSound {
            try await step()
            if Bool.random(using: &random) { try await compare() }
        }
        try await finish()
    }

    private mutating func check(_ condition: Bool, _ what: String) {
        guard !condition else { return }
        isSound = false
        Issue.record("\(seed.testDescription): \(what), after \(log.suffix(12))")
    }

    private mutating func step() async throws {
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<4: try await create()
        case 4..<9: try await upload()
        case 9..<19: try await send()
        case 19..<24: try await steer("pause")
        case 24..<32: try await steer("resume")
        case 32..<35: try await steer("cancel")
        case 35..<50: try await claim(["a", "b"].randomElement(using: &random) ?? "a")
        case 50..<72: try await append()
        case 72..<82: try await settle()
        case 82..<90: try await settlePart()
        case 90..<94: try await park()
        case 94..<96: try await crash(["a", "b"].randomElement(using: &random) ?? "a")
        case 96..<98: try await poison()
        default: try await complete()
        }
    }

    private mutating func someCampaign() -> CampaignID? { models.keys.sorted().randomElement(using: &random) }

    // MARK: Customers

    private mutating func create() async throws {
        guard models.count < 3 else { return }
        let policy: InDoubtPolicy = Bool.random(using: &random) ? .resend : .skip
        let size = Int.random(in: 1...4, using: &random)
        log.append("create \(policy) \(size)")
        let campaign = try await fixture.service.create(
            account, CampaignRequest(content: CampaignFixture.content(), inDoubt: policy, batchSize: size))
        models[campaign.id] = CampaignModel(inDoubt: policy, batchSize: size)
        try await upload(to: campaign.id)
    }

    private mutating func upload() async throws {
        guard let campaign = someCampaign() else { return }
        try await upload(to: campaign)
    }

    private mutating func upload(to campaign: CampaignID) async throws {
        guard var model = models[campaign] else { return }
        let start = model.recipients.count
        let count = Int.random(in: 0...8, using: &random)
        let names = (start..<(start + count)).map { "p\($0)-\(campaign)@example.org" }
        let suppressed = names.map { _ in Int.random(in: 0..<6, using: &random) == 0 }
        log.append("upload \(suppressed) to \(campaign)")
        let known = try zip(names, suppressed).filter(\.1).map { try EmailAddress($0.0) }
        if !known.isEmpty {
            try await fixture.suppressions.add(known, account: account, reason: .manual, origin: .customer)
        }
        var lines = names
        if let first = names.first { lines += [first.uppercased(), "not an address"] }
        do {
            let result = try await fixture.service.importRecipients(
                account, campaign, format: UploadForm(.ndjson, onInvalid: .skip),
                source: CampaignFixture.stream(CampaignFixture.lines(lines)))
            check(model.state == .draft, "an upload was taken in state \(model.state)")
            check(result.report.accepted == count, "accepted \(result.report.accepted) of \(count)")
            check(result.report.suppressed == suppressed.count { $0 }, "suppressed \(result.report.suppressed)")
            check(result.report.duplicates == (count > 0 ? 1 : 0), "duplicates \(result.report.duplicates)")
            model.add(suppressed)
            models[campaign] = model
        } catch let error as CampaignError where error.code == .illegalTransition {
            check(model.state != .draft, "an upload to a draft was refused")
        }
    }

    private mutating func send() async throws {
        guard let campaign = someCampaign(), var model = models[campaign] else { return }
        log.append("send \(campaign)")
        let needed = model.recipients.count { !$0.isSuppressed }
        let available = credits - models.values.reduce(0) { $0 + $1.held + $1.charged }
        let expected: CampaignError.Code? =
            model.state != .draft
            ? .illegalTransition
            : model.recipients.isEmpty
                ? .noRecipients
                : needed > available
                    ? .insufficientCredits(missing: Int64(needed - available), available: Int64(available)) : nil
        do {
            _ = try await fixture.service.send(account, campaign)
            check(expected == nil, "sent, but \(String(describing: expected)) was expected")
            model.send()
            if model.isFinishing { purge(&model) }
            models[campaign] = model
        } catch let error as CampaignError {
            check(error.code == expected, "refused with \(error.code) instead of \(String(describing: expected))")
        }
    }

    private mutating func purge(_ model: inout CampaignModel) {
        if model.state != .cancelled { model.state = .completed }
        model.isPurged = true
    }

    private mutating func steer(_ order: String) async throws {
        guard let campaign = someCampaign(), var model = models[campaign] else { return }
        log.append("\(order) \(campaign)")
        let event = try #require(CampaignEvent(rawValue: order))
        let next = model.state.applying(event)
        let isAllowed = next != nil && !(model.isFinishing && model.state != .paused)
        do {
            switch event {
            case .pause: _ = try await fixture.service.pause(account, campaign)
            case .resume: _ = try await fixture.service.resume(account, campaign)
            default: _ = try await fixture.service.cancel(account, campaign)
            }
            check(isAllowed, "\(order) was allowed in state \(model.state)")
            if event == .cancel { model.cancel() } else { model.state = next ?? model.state }
            if event != .pause, model.isFinishing { purge(&model) }
            models[campaign] = model
        } catch let error as CampaignError {
            check(error.code == .illegalTransition && !isAllowed, "\(order) was refused in state \(model.state)")
        }
    }

    // MARK: Nodes

    /// - Returns: how many batches.
    @discardableResult
    private mutating func claim(_ node: String) async throws -> Int {
        let limit = Int.random(in: 1...3, using: &random)
        log.append("claim \(limit) by \(node)")
        let claimable = models.values.reduce(0) { $0 + $1.claimable.count }
        let batches = try await fixture.store.claim(node: node, leaseSeconds: 600, limit: limit)
        check(batches.count == min(limit, claimable), "claimed \(batches.count) of \(claimable), limit \(limit)")
        for batch in batches {
            guard var model = models[batch.id.campaign], var expected = model.batches[batch.id.number] else {
                check(false, "claimed an unknown batch")
                return 0
            }
            check(model.claimable.contains(batch.id.number), "claimed a batch that cannot be")
            check(batch.records.map(\.index) == expected.members, "claimed other recipients")
            check(batch.work == (model.state == .cancelled ? .cancelling : .open), "state \(batch.work)")
            check(batch.progress.mapValues(\.step) == expected.journal, "progress \(batch.progress)")
            expected.lease = node
            expected.epoch += 1
            check(batch.epoch == expected.epoch, "epoch \(batch.epoch)")
            model.batches[batch.id.number] = expected
            if model.state == .queued { model.state = .sending }
            models[batch.id.campaign] = model
            if model.state != .cancelled, Int.random(in: 0..<12, using: &random) == 0 {
                try await endUnsendable(batch, node)
            } else {
                claims.append(Claim(batch: batch, node: node))
            }
        }
        return batches.count
    }

    /// The node finds that no mail can be made of what it has claimed.
    private mutating func endUnsendable(_ batch: ClaimedBatch, _ node: String) async throws {
        log.append("cannot send \(batch.id)")
        let result = try await fixture.store.endUnsendable(
            batch, node: node, because: UnreadableContent(campaign: batch.id.campaign))
        models[batch.id.campaign]?.endCancelled(batch.id.number)
        let isDone = models[batch.id.campaign]?.isFinishing == true
        check(result == .settled(campaignDone: isDone), "ended unsent: \(result)")
    }

    // MARK: Poison

    /// Stands for damage that lets nothing more of a batch be stored, say of a page of the table: the statement that tries
    /// it fails, for whatever else it brings.
    static func preparePoison(in fixture: CampaignFixture) async throws {
        try await fixture.records.owner.withConnection { connection in
            try await connection.execute(
                script: """
                    CREATE TABLE poison (campaign_id bigint, batch_no integer);
                    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
                    BEGIN
                        IF EXISTS (
                            SELECT FROM poison p WHERE p.campaign_id = NEW.campaign_id AND p.batch_no = NEW.batch_no)
                        THEN RAISE EXCEPTION 'damaged'; END IF;
                        RETURN NEW;
                    END $$;
                    CREATE TRIGGER refuse BEFORE INSERT ON journal FOR EACH ROW EXECUTE FUNCTION refuse();
                    """)
        }
    }

    private mutating func poison() async throws {
        guard let place = claims.indices.randomElement(using: &random) else { return }
        let batch = claims[place].batch.id
        log.append("poison \(batch)")
        try await fixture.records.owner.query(
            "INSERT INTO poison VALUES (\(batch.campaign.rawValue), \(batch.number))")
        models[batch.campaign]?.poisoned.insert(batch.number)
    }

    /// A group that can never be stored takes another of its call with it; by itself the other is stored.
    private mutating func appendPoisoned(_ group: JournalGroup, of claim: Claim) async throws {
        let companion = claims.first { other in
            let id = other.batch.id
            return other.node == claim.node && !other.isStale && id != group.batch
                && models[id.campaign]?.poisoned.contains(id.number) == false
        }
        let other = companion.map(harmless)
        do {
            let states = try await fixture.store.append(node: claim.node, [group] + [other].compactMap(\.self))
            check(false, "a poisoned group was stored: \(states)")
        } catch {
            check(JournalFailure(error) == .ofItsData, "refused for \(error)")
        }
        guard let companion, let other, let model = models[companion.batch.id.campaign] else { return }
        let states = try await fixture.store.append(node: claim.node, [other])
        check(
            states == [other.batch: expectedState(companion, model, isNew: !other.entries.isEmpty)],
            "companion: \(states)")
    }

    /// A group that leaves everything as it was.
    private func harmless(_ claim: Claim) -> JournalGroup {
        let batch = models[claim.batch.id.campaign]?.batches[claim.batch.id.number]
        let idle = batch?.members.first { batch?.journal[$0] == nil }
        let entries = idle.map { [JournalEntry(index: $0, kind: .intent), JournalEntry(index: $0, kind: .withdrawn)] }
        return JournalGroup(batch: claim.batch.id, epoch: claim.batch.epoch, entries: entries ?? [])
    }

    private mutating func append() async throws {
        guard let place = claims.indices.randomElement(using: &random) else { return }
        let claim = claims[place]
        guard var model = models[claim.batch.id.campaign] else { return }
        if let last = claim.lastGroup, Int.random(in: 0..<5, using: &random) == 0 {
            log.append("append again \(last.batch)")
            let state = try await fixture.store.append(node: claim.node, [last])
            return check(state == [last.batch: expectedState(claim, model, isNew: false)], "state \(state)")
        }
        let number = claim.batch.id.number
        var entries: [JournalEntry] = []
        let before = model
        let members = Set(model.batches[number]?.members ?? [])
        for record in claim.batch.records
        where members.contains(record.index) && Int.random(in: 0..<3, using: &random) > 0 {
            for kind in nextKinds(record, model, number) {
                let entry = JournalEntry(
                    index: record.index, kind: kind, replyCode: 250, text: "r", wasDeferred: record.attempt > 0)
                entries.append(entry)
                model.apply(entry, to: number)
            }
        }
        let group = JournalGroup(batch: claim.batch.id, epoch: claim.batch.epoch, entries: entries)
        log.append("append \(entries.count) to \(group.batch) stale \(claim.isStale)")
        if before.poisoned.contains(number), !entries.isEmpty, !claim.isStale {
            return try await appendPoisoned(group, of: claim)
        }
        if Int.random(in: 0..<8, using: &random) == 0 {
            // Nothing changes, and the same group may come again.
            let locked = try await appendLocked(group, of: claim)
            let expected = entries.isEmpty ? expectedState(claim, before, isNew: false) : .locked
            check(
                locked == [group.batch: claim.isStale ? .lost : expected], "state \(locked) while locked")
            if Bool.random(using: &random) { return }
        }
        let state = try await fixture.store.append(node: claim.node, [group])
        check(state == [group.batch: expectedState(claim, before, isNew: !entries.isEmpty)], "state \(state)")
        guard !claim.isStale else { return }
        models[claim.batch.id.campaign] = model
        claims[place].lastGroup = group
    }

    /// While somebody else has the row of the batch, or of its campaign and of the batch.
    private mutating func appendLocked(_ group: JournalGroup, of claim: Claim) async throws -> [BatchID: LeaseState] {
        let alsoCampaign = Bool.random(using: &random)
        return try await fixture.records.owner.withTransaction { connection in
            let batch = group.batch
            if alsoCampaign {
                try await connection.query(
                    "SELECT FROM campaigns WHERE campaign_id = \(batch.campaign.rawValue) FOR NO KEY UPDATE")
            }
            try await connection.query(
                """
                SELECT FROM batches WHERE campaign_id = \(batch.campaign.rawValue) AND batch_no = \(batch.number)
                FOR NO KEY UPDATE
                """)
            return try await fixture.store.append(node: claim.node, [group])
        }
    }

    private func expectedState(_ claim: Claim, _ model: CampaignModel, isNew: Bool) -> LeaseState {
        if claim.isStale { return .lost }
        let work: LeaseState.Work =
            switch model.state {
            case .paused: .paused
            case .cancelled: .cancelling
            default: .open
            }
        return isNew ? .applied(work) : .repeated(work)
    }

    /// What a worker may journal next of a recipient: an answer to an open intent, or one without any, or a new intent.
    private mutating func nextKinds(
        _ record: RecipientRecord, _ model: CampaignModel, _ number: Int32
    ) -> [JournalEntry.Kind] {
        let outcomes: [Outcome] = [.delivered, .delivered, .delivered, .bounced, .expired, .invalid, .suppressed]
        let outcome = outcomes.randomElement(using: &random) ?? .delivered
        switch model.batches[number]?.journal[record.index] {
        case .final, .deferred: return []
        case nil:
            return [[.intent], [.intent, .outcome(outcome)], [.outcome(outcome)], [.deferred], [.intent, .deferred]]
                .randomElement(using: &random) ?? []
        case .intended where model.inDoubt == .skip && Bool.random(using: &random):
            return [.outcome(.inDoubt)]
        case .intended:
            return [
                [.outcome(outcome)], [.outcome(outcome)], [.deferred], [.withdrawn], [.inDoubtResend],
                [.inDoubtResend, .intent],
            ].randomElement(using: &random) ?? []
        }
    }

    private mutating func settle() async throws {
        guard let place = claims.indices.randomElement(using: &random) else { return }
        let claim = claims[place]
        let campaign = claim.batch.id.campaign
        let number = claim.batch.id.number
        guard var model = models[campaign] else { return }
        let deferred = Set(model.deferredMembers(number))
        let retried = claim.batch.records.filter { deferred.contains($0.index) }.map { record in
            var record = record
            record.attempt += 1
            return record
        }
        let settlement = BatchSettlement(results: model.finals(number), deferred: retried, retryInSeconds: 0)
        log.append("settle \(claim.batch.id) stale \(claim.isStale)")
        let isComplete = model.isAnswered(number) || model.state == .cancelled
        do {
            let result = try await fixture.store.settle(
                claim.batch.id, node: claim.node, epoch: claim.batch.epoch, settlement)
            if claim.isStale { return check(result == .lost, "a stale settlement gave \(result)") }
            check(isComplete, "an incomplete batch was settled")
            model.settle(number)
            check(result == .settled(campaignDone: model.isFinishing), "settled: \(result)")
            models[campaign] = model
            claims.remove(at: place)
            if Bool.random(using: &random) {
                let again = try await fixture.store.settle(
                    claim.batch.id, node: claim.node, epoch: claim.batch.epoch, settlement)
                check(again == result, "settled again: \(again)")
            }
            if model.isFinishing, Bool.random(using: &random) { try await complete(campaign) }
        } catch let error as CampaignError where error.code == .settlementMismatch {
            check(!isComplete && !claim.isStale, "a complete batch was not settled")
        }
    }

    private mutating func settlePart() async throws {
        guard let place = claims.indices.randomElement(using: &random) else { return }
        let claim = claims[place]
        let number = claim.batch.id.number
        guard var model = models[claim.batch.id.campaign], let batch = model.batches[number] else { return }
        let isCancelled = model.state == .cancelled
        let done = batch.members.filter { index in
            switch batch.journal[index] {
            case .final, .deferred: Int.random(in: 0..<3, using: &random) > 0
            case nil: isCancelled && Bool.random(using: &random)
            case .intended: false
            }
        }
        guard !done.isEmpty, done.count < batch.members.count else { return }
        let finals = model.finals(number).filter { done.contains($0.index) }
        let retried = claim.batch.records.filter { done.contains($0.index) && batch.journal[$0.index] == .deferred }
        log.append("settle \(done) of \(claim.batch.id) stale \(claim.isStale)")
        let settlement = BatchSettlement(results: finals, deferred: retried.map(\.triedAgain), retryInSeconds: 0)
        let result = try await fixture.store.settlePart(
            claim.batch.id, node: claim.node, epoch: claim.batch.epoch, settlement,
            untouched: Set(done.filter { batch.journal[$0] == nil }))
        if claim.isStale { return check(result == .lost, "a stale part gave \(result)") }
        check(result == .settled(campaignDone: false), "part: \(result)")
        model.settlePart(done, of: number)
        models[claim.batch.id.campaign] = model
        guard Bool.random(using: &random) else { return }
        let again = try await fixture.store.settlePart(
            claim.batch.id, node: claim.node, epoch: claim.batch.epoch, settlement)
        check(again == .settled(campaignDone: false), "part again: \(again)")
    }

    private mutating func park() async throws {
        guard let place = claims.indices.randomElement(using: &random) else { return }
        let claim = claims[place]
        log.append("park \(claim.batch.id) stale \(claim.isStale)")
        try await fixture.store.park(claim.batch.id, node: claim.node, epoch: claim.batch.epoch, dueInSeconds: 0)
        guard !claim.isStale else { return }
        models[claim.batch.id.campaign]?.batches[claim.batch.id.number]?.lease = nil
        claims[place].isStale = true
    }

    /// The node dies and starts again: its leases are free, but what it had in mind it may still try to write.
    private mutating func crash(_ node: String) async throws {
        log.append("crash \(node)")
        try await fixture.endLeases(of: node)
        for place in claims.indices where claims[place].node == node {
            if !claims[place].isStale {
                models[claims[place].batch.id.campaign]?.batches[claims[place].batch.id.number]?.lease = nil
            }
            claims[place].isStale = true
        }
    }

    private mutating func complete() async throws {
        guard let campaign = someCampaign() else { return }
        try await complete(campaign)
    }

    private mutating func complete(_ campaign: CampaignID) async throws {
        guard var model = models[campaign] else { return }
        log.append("complete \(campaign)")
        if Int.random(in: 0..<4, using: &random) == 0, model.isFinishing {
            // A crash right after the key was destroyed.
            _ = try await fixture.vault.destroyCampaignKey(account, campaign)
            return
        }
        let certificate = try await fixture.store.complete(account, campaign)
        check((certificate != nil) == (model.isFinishing || model.isPurged), "completion in state \(model.state)")
        if model.isFinishing { purge(&model) }
        models[campaign] = model
    }

    // MARK: Comparison

    private mutating func compare() async throws {
        for (campaign, model) in models {
            let status = try await fixture.service.get(account, campaign)
            check(status.state == model.state, "\(campaign) is \(status.state) instead of \(model.state)")
            check(status.counters == model.counters, "\(status.counters) instead of \(model.counters)")
            check(status.counters.pending >= 0, "negative pending")
            let credits = status.credits
            check(credits.held == Int64(model.held), "held \(credits.held) instead of \(model.held)")
            check(credits.charged == Int64(model.charged), "charged \(credits.charged) instead of \(model.charged)")
            let released = model.wasSent ? model.reserved - model.held - model.charged : 0
            check(credits.released == Int64(released), "released \(credits.released) instead of \(released)")
        }
        let balance = try await fixture.balance(account)
        let charged = models.values.reduce(0) { $0 + $1.charged }
        check(balance.posted == Int64(credits - charged), "posted \(balance.posted)")
        check(balance.held == Int64(models.values.reduce(0) { $0 + $1.held }), "held \(balance.held)")
        if Int.random(in: 0..<6, using: &random) == 0 { try await compareListing() }
    }

    private mutating func compareListing() async throws {
        guard let campaign = someCampaign(), let model = models[campaign] else { return }
        guard (try? await fixture.vault.campaignKey(account, campaign)) != nil else { return }
        var listed: [Int32: RecipientFate] = [:]
        var cursor: RecipientCursor?
        repeat {
            let page = try await fixture.service.recipients(
                account, campaign, after: cursor, limit: Int.random(in: 1...5, using: &random))
            for recipient in page.recipients {
                check(listed.updateValue(recipient.fate, forKey: recipient.index) == nil, "listed twice")
            }
            cursor = page.next
        } while cursor != nil
        for (index, recipient) in model.recipients.enumerated() {
            let fate = recipient.isSuppressed ? .final(.suppressed) : recipient.fate
            check(listed[Int32(index)] == fate, "\(index) listed as \(String(describing: listed[Int32(index)]))")
        }
        check(listed.count == model.recipients.count, "listed \(listed.count)")
    }

    /// Everything to its end: no recipient is lost, no credit is left over.
    private mutating func finish() async throws {
        try await crash("a")
        try await crash("b")
        claims = []
        for (campaign, model) in models.sorted(by: { $0.key < $1.key })
        where !model.poisoned.isDisjoint(with: model.openBatches) {
            // A batch of which nothing can be stored never ends by itself.
            guard model.state != .cancelled else { continue }
            _ = try await fixture.service.cancel(account, campaign)
            models[campaign]?.cancel()
        }
        for (campaign, model) in models.sorted(by: { $0.key < $1.key }) where isSound {
            if model.state == .draft { _ = try await fixture.service.cancel(account, campaign) }
            if model.state == .draft { models[campaign]?.cancel() }
            if model.state == .paused { _ = try await fixture.service.resume(account, campaign) }
            if model.state == .paused { models[campaign]?.state = .sending }
        }
        while isSound {
            guard try await claim("a") > 0 else { break }
            for claim in claims { try await answerAll(claim) }
            while !claims.isEmpty, isSound { try await settle() }
        }
        for (owner, campaign) in try await fixture.store.unfinishedCompletions() where owner == account {
            check(try await fixture.store.complete(owner, campaign) != nil, "completion left undone")
        }
        for campaign in models.keys where models[campaign]?.isFinishing == true {
            if models[campaign]?.state != .cancelled { models[campaign]?.state = .completed }
            models[campaign]?.isPurged = true
        }
        try await compare()
        for (campaign, model) in models {
            check(model.isPurged, "\(campaign) did not end")
            check(model.counters.finished == model.recipients.count, "\(campaign) has recipients without outcome")
            check(try await fixture.service.certificate(account, campaign) != nil, "no certificate")
        }
        check(try await fixture.balance(account).held == 0, "credits are left held")
    }

    private mutating func answerAll(_ claim: Claim) async throws {
        // Of a cancelled campaign such a batch is settled as it stands.
        guard var model = models[claim.batch.id.campaign], !model.poisoned.contains(claim.batch.id.number)
        else { return }
        var entries: [JournalEntry] = []
        let members = Set(model.batches[claim.batch.id.number]?.members ?? [])
        for record in claim.batch.records where members.contains(record.index) {
            let known = model.batches[claim.batch.id.number]?.journal[record.index]
            guard known == nil || known == .intended else { continue }
            let entry = JournalEntry(
                index: record.index, kind: .outcome(known == .intended ? .inDoubt : .delivered),
                wasDeferred: record.attempt > 0)
            entries.append(entry)
            model.apply(entry, to: claim.batch.id.number)
        }
        log.append("answer \(entries.count) of \(claim.batch.id)")
        let group = JournalGroup(batch: claim.batch.id, epoch: claim.batch.epoch, entries: entries)
        let state = try await fixture.store.append(node: claim.node, [group])
        check(
            state == [claim.batch.id: expectedState(claim, model, isNew: !entries.isEmpty)], "state \(state)")
        models[claim.batch.id.campaign] = model
    }
}

extension RecipientRecord {
    fileprivate var triedAgain: RecipientRecord {
        var record = self
        record.attempt += 1
        return record
    }
}

extension RecipientProgress {
    fileprivate var step: CampaignModel.Step {
        switch self {
        case .intended: .intended
        case .deferred: .deferred
        case .finished(let result): .final(result.outcome ?? .cancelled)
        }
    }
}
