import CreditLedger
import MailTypes
import Postgres
import TestSupport
import Testing

/// Random operations on the ledger, judged by ``LedgerModel``. A failing seed can be run again by itself.
@Suite struct ModelTests {
    typealias Operation = LedgerModel.Operation
    typealias HoldAmount = LedgerModel.HoldAmount

    @Test(arguments: Seed.range(1..<7)) func one_after_the_other(seed: Seed) async throws {
        var generator = SeededGenerator(seed)
        let limit = Int64.random(in: 0...30, using: &generator)
        let books = try await Books(limit: limit)
        var model = LedgerModel(limit: limit)
        for step in 1...120 {
            let operation = Self.operation(model, &generator)
            let before = model
            let expected = Result { () throws(LedgerError) in try model.apply(operation) }
            if case .failure = expected { model = before }
            let entriesBefore = try await books.entries().count
            let actual = await books.perform(operation)
            switch (expected, actual) {
            case (.success(let isNew), .success(let entry)):
                let added = try await books.entries().count - entriesBefore
                #expect(added == (isNew ? 1 : 0), "seed \(seed), step \(step), \(operation)")
                #expect(!isNew || entry == Int64(entriesBefore + 1), "seed \(seed), step \(step), \(operation)")
            case (.failure(let wanted), .failure(let got)):
                #expect(wanted == got, "seed \(seed), step \(step), \(operation)")
                #expect(try await books.entries().count == entriesBefore)
            default:
                Issue.record("seed \(seed), step \(step), \(operation): \(expected) expected, \(actual) came")
            }
            try await Self.compare(books, model, "seed \(seed), step \(step)")
        }
        #expect(try await books.verify().problems == [], "seed \(seed)")
    }

    /// Eight operations at once, several rounds. The entries' numbers tell in which order the ledger has taken those
    /// that succeeded: the model replays them in that order and must agree. A refusal for lack of credits must name an
    /// amount that was available at some point of the round.
    @Test(arguments: Seed.range(101..<107)) func at_the_same_time(seed: Seed) async throws {
        var generator = SeededGenerator(seed)
        let books = try await Books(limit: 10)
        var model = LedgerModel(limit: 10)
        for round in 1...15 {
            let operations = (0..<8).map { _ in Self.operation(model, &generator) }
            let known = Int64(try await books.entries().count)
            let outcomes = await withTaskGroup(of: (Operation, Result<Int64, LedgerError>).self) { group in
                for operation in operations {
                    group.addTask { (operation, await books.perform(operation)) }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            var available: Set<Int64> = [model.available]
            let succeeded = outcomes.compactMap { operation, outcome in
                (try? outcome.get()).map { (operation: operation, entry: $0) }
            }
            for (operation, entry) in succeeded.sorted(by: { $0.entry < $1.entry }) {
                let isNew = try model.apply(operation)
                #expect(!isNew || entry > known, "seed \(seed), round \(round), \(operation)")
                available.insert(model.available)
            }
            for case (let operation, .failure(let error)) in outcomes {
                switch error {
                case .insufficientCredits(_, let reported):
                    #expect(available.contains(reported), "seed \(seed), round \(round), \(operation)")
                case .idempotencyConflict, .holdExists, .holdNotFound, .holdAlreadyResolved, .invalidAmount: break
                default: Issue.record("seed \(seed), round \(round), \(operation): \(error)")
                }
            }
            try await Self.compare(books, model, "seed \(seed), round \(round)")
            #expect(try await books.verify().problems == [], "seed \(seed), round \(round)")
        }
    }

    /// An operation that is likely to succeed, and now and then one that must not.
    private static func operation(_ model: LedgerModel, _ generator: inout SeededGenerator) -> Operation {
        if Int.random(in: 0..<8, using: &generator) == 0,
            let repeated = model.answered.values.sorted(by: { "\($0)" < "\($1)" }).randomElement(using: &generator)
        {
            return repeated
        }
        let campaign = Int64.random(in: 1...3, using: &generator)
        // A small set of keys, so that some come again for another request.
        let key = "k\(Int.random(in: 0..<400, using: &generator))"
        let optionalKey = Bool.random(using: &generator) ? key : nil
        let batch = Int32.random(in: 1...40, using: &generator)
        let open = model.holds.filter(\.value.isOpen).map(\.key)
            .sorted { ($0.campaign, $0.batch) < ($1.campaign, $1.batch) }
        switch Int.random(in: 0..<10, using: &generator) {
        case 0...1:
            return .grant(Int64.random(in: -2...60, using: &generator), key: key)
        case 2...5:
            let count = Int32.random(in: 1...3, using: &generator)
            let holds = (0..<count).map { offset in
                HoldAmount(batch: batch + offset, amount: Int64.random(in: 0...15, using: &generator))
            }
            return .reserve(campaign: campaign, holds, key: optionalKey)
        case 6...8:
            let chosen = open.randomElement(using: &generator)
            let amount = chosen.flatMap { model.holds[$0]?.amount } ?? 5
            let charged = Int64.random(in: 0...(amount + 1), using: &generator)
            let rest = Int64.random(in: 0...max(0, amount - charged), using: &generator)
            let later = Int32.random(in: 41...90, using: &generator)
            let carried = rest > 0 ? [HoldAmount(batch: later, amount: rest)] : []
            return .settle(
                campaign: chosen?.campaign ?? campaign, batch: chosen?.batch ?? batch, charged: charged,
                carried: carried, key: optionalKey)
        default:
            let chosen = open.randomElement(using: &generator)
            let own = open.filter { $0.campaign == chosen?.campaign }.map(\.batch)
            let batches = own.isEmpty || Int.random(in: 0..<4, using: &generator) == 0 ? [batch] : Array(own.prefix(3))
            return .release(campaign: chosen?.campaign ?? campaign, batches, key: optionalKey)
        }
    }

    private static func compare(_ books: Books, _ model: LedgerModel, _ place: String) async throws {
        let balance = try await books.balance()
        #expect(balance == CreditBalance(posted: model.posted, held: model.held, limit: model.limit), "\(place)")
        #expect(balance.available >= 0, "\(place)")
        for campaign: Int64 in 1...3 {
            #expect(try await books.campaignCredits(campaign) == model.credits(campaign), "\(place)")
        }
        if let last = try await books.run({ try await $0.entries($1, limit: 1, on: $2) }).first {
            #expect((last.postedAfter, last.heldAfter) == (model.posted, model.held), "\(place)")
        }
    }
}

extension Books {
    /// - Returns: the number of the entry that the operation made, now or the first time
    func perform(_ operation: LedgerModel.Operation) async -> Result<Int64, LedgerError> {
        do {
            return .success(try await number(of: operation))
        } catch let error as LedgerError {
            return .failure(error)
        } catch {
            Issue.record(error)
            return .failure(.inconsistent)
        }
    }

    private func number(of operation: LedgerModel.Operation) async throws -> Int64 {
        try await run { ledger, account, connection in
            switch operation {
            case .grant(let amount, let key):
                return try await ledger.grant(amount, to: account, key: key, on: connection).number
            case .reserve(let campaign, let holds, let key):
                let entry = try await ledger.reserve(
                    holds.map { (batch: $0.batch, amount: $0.amount) }, account: account,
                    campaign: Self.campaign(campaign), key: key, on: connection)
                return try #require(entry).number
            case .settle(let campaign, let batch, let charged, let carried, let key):
                let entry = try await ledger.settle(
                    BatchID(account: account, campaign: Self.campaign(campaign), number: batch), charged: charged,
                    carried: carried.map { (batch: $0.batch, amount: $0.amount) }, key: key, on: connection)
                return try #require(entry).number
            case .release(let campaign, let batches, let key):
                _ = try await ledger.release(
                    account: account, campaign: Self.campaign(campaign), batches: batches, key: key, on: connection)
                // The account is still locked: the last entry with this request is the release.
                let entries = try await ledger.entries(account, limit: 1_000, on: connection)
                return entries.first { $0.kind == .release && (key == nil || $0.idempotencyKey == key) }?.number ?? 0
            }
        }
    }
}
