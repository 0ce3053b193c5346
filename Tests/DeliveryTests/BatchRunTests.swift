import MailMessage
import MailSigning
import MailTypes
import Synchronization
import Testing

@testable import Campaigns
@testable import Delivery
@testable import Vault

struct BatchRunTests {
    // MARK: Ends

    @Test func `a run waits until each recipient has its fate`() async throws {
        let run = try BatchRun.sample(3)
        let waiting = Task {
            await run.wait()
            return ContinuousClock.now
        }
        run.finish(2, .deferred(inSeconds: 1))
        run.finish(0, .untouched)
        try await Task.sleep(for: .milliseconds(50))
        let last = ContinuousClock.now
        run.finish(1, .deferred(inSeconds: 1))
        #expect(await waiting.value >= last)
        // And for whoever comes later.
        await run.wait()
    }

    @Test func `a run that is abandoned waits for nobody, and one that is parked or cancelled for all`() async throws {
        let run = try BatchRun.sample(2)
        let isOver = Atomic(false)
        let waiting = Task {
            await run.wait()
            isOver.store(true, ordering: .sequentiallyConsistent)
        }
        run.finish(1, .untouched)
        run.stop(.cancel)
        try await Task.sleep(for: .milliseconds(50))
        let wasOver = isOver.load(ordering: .sequentiallyConsistent)
        #expect(!wasOver)
        run.stop(.abandon)
        await waiting.value
        await run.wait()
        // What comes later is heard, and changes nothing.
        run.finish(0, .untouched)
        #expect(End(run.conclusion()) == .abandon)
    }

    @Test func `the end of its task abandons a run whose mail is never heard of again`() async throws {
        let run = try BatchRun.sample(2)
        let waiting = Task { await run.wait() }
        run.finish(0, .final(RecipientResult(index: 0, outcome: .delivered)))
        waiting.cancel()
        await waiting.value
        #expect(run.stopReason == .abandon)
        #expect(End(run.conclusion()) == .abandon)
        // Also where it had been cancelled before.
        let second = try BatchRun.sample(1)
        let late = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            await second.wait()
        }
        await late.value
        #expect(second.stopReason == .abandon)
    }

    @Test func `nobody has two fates`() async {
        await #expect(processExitsWith: .failure) {
            let run = try BatchRun.sample(2)
            run.finish(1, .deferred(inSeconds: 1))
            run.finish(1, .final(RecipientResult(index: 1, outcome: .delivered)))
        }
    }

    // MARK: Conclusions

    @Test func `what is delivered is settled and what is deferred tried again`() throws {
        let run = try BatchRun.sample(4, attempts: [0, 3, 0, 0])
        run.finish(0, .final(RecipientResult(index: 0, outcome: .delivered, code: 250)))
        run.finish(1, .deferred(inSeconds: 40))
        run.finish(2, .final(RecipientResult(index: 2, outcome: .bounced, code: 550)))
        run.finish(3, .deferred(inSeconds: 48))
        guard case .settle(let settlement) = run.conclusion() else {
            Issue.record("not settled")
            return
        }
        #expect(settlement.results.map(\.index) == [0, 2])
        #expect(settlement.results.map(\.outcome) == [.delivered, .bounced])
        // Those who are due at about the same time go together, with the first of them.
        #expect(settlement.retries.map { $0.records.map(\.index) } == [[1, 3]])
        #expect(settlement.retries.map { $0.records.map(\.attempt) } == [[4, 1]])
        #expect(settlement.retries.map { $0.inSeconds.rounded() } == [40])
        #expect(settlement.retries.map { $0.latestInSeconds.rounded() } == [48])
    }

    @Test func `a settlement names the providers that answered to those who are done`() throws {
        let run = try BatchRun.sample(3)
        for position in 0..<3 { run.noteProvider(position == 1 ? "yahoo" : "gmail", position) }
        run.noteProvider("default", 0)
        run.finish(0, .final(RecipientResult(index: 0, outcome: .delivered, code: 250)))
        run.finish(1, .final(RecipientResult(index: 1, outcome: .bounced, code: 550)))
        run.finish(2, .deferred(inSeconds: 40))
        guard case .settle(let settlement) = run.conclusion() else {
            Issue.record("not settled")
            return
        }
        #expect(settlement.providers == [0: "default", 1: "yahoo"])
    }

    @Test func `recipients due at different times go into batches of their own`() throws {
        let seconds = [511.0, 0.9, 0.1, 300, 374, 512, 14_400]
        let run = try BatchRun.sample(seconds.count)
        for (position, seconds) in seconds.enumerated() { run.finish(position, .deferred(inSeconds: seconds)) }
        guard case .settle(let settlement) = run.conclusion() else {
            Issue.record("not settled")
            return
        }
        #expect(settlement.retries.map { $0.records.map(\.index) } == [[1, 2], [3, 4], [0, 5], [6]])
        #expect(settlement.retries.map { $0.inSeconds.rounded() } == [0, 300, 511, 14_400])
    }

    @Test func `who was not tried has no attempt more`() throws {
        let run = try BatchRun.sample(2, attempts: [0, 3])
        run.finish(0, .requeued(inSeconds: 20))
        run.finish(1, .requeued(inSeconds: 20))
        guard case .settle(let settlement) = run.conclusion() else {
            Issue.record("not settled")
            return
        }
        #expect(settlement.retries.map { $0.records.map(\.attempt) } == [[0, 3]])
    }

    @Test func `mails count as waiting until they start or end`() throws {
        let run = try BatchRun.sample(3)
        #expect(run.waitingCount == 3)
        run.start(1)
        run.start(1)
        #expect(run.waitingCount == 2)
        run.finish(1, .untouched)
        #expect(run.waitingCount == 2)
        run.finish(0, .requeued(inSeconds: 1))
        #expect(run.waitingCount == 1)
    }

    @Test func `attempts are counted up to what fits`() throws {
        let run = try BatchRun.sample(1, attempts: [.max])
        run.finish(0, .deferred(inSeconds: 1))
        guard case .settle(let settlement) = run.conclusion() else {
            Issue.record("not settled")
            return
        }
        #expect(settlement.retries.map { $0.records.map(\.attempt) } == [[.max]])
    }

    enum End: Sendable, Equatable {
        case settle([Int32])
        case park
        case abandon

        init(_ conclusion: BatchRun.Conclusion) {
            self =
                switch conclusion {
                case .settle(let settlement): .settle(settlement.results.map(\.index))
                case .park: .park
                case .abandon: .abandon
                }
        }
    }

    @Test(
        arguments: [
            // One recipient is delivered, the other left alone.
            ([BatchRun.StopReason](), false, End.park),
            ([.park], false, .park),
            ([.cancel], false, .settle([0])),
            ([.abandon], false, .abandon),
            // The first reason stands, but a lost lease overrules all.
            ([.park, .cancel], false, .park),
            ([.cancel, .park], false, .settle([0])),
            ([.park, .abandon], false, .abandon),
            ([.cancel, .abandon], false, .abandon),
            ([.abandon, .park], false, .abandon),
            // Both are delivered: nothing is left to give back.
            ([], true, .settle([0, 1])),
            ([.park], true, .settle([0, 1])),
            ([.cancel], true, .settle([0, 1])),
            ([.abandon], true, .abandon),
        ])
    func `why a run was stopped decides what becomes of its batch`(
        _ reasons: [BatchRun.StopReason], _ isDone: Bool, _ end: End
    ) throws {
        let run = try BatchRun.sample(2)
        for reason in reasons { run.stop(reason) }
        run.finish(0, .final(RecipientResult(index: 0, outcome: .delivered)))
        run.finish(1, isDone ? .final(RecipientResult(index: 1, outcome: .delivered)) : .untouched)
        #expect(End(run.conclusion()) == end)
    }

    // MARK: Parts

    @Test func `a part holds what is done, and the end what is left`() throws {
        let run = try BatchRun.sample(5, attempts: [0, 2, 0, 0, 0])
        #expect(run.takePart() == nil)
        run.finish(1, .deferred(inSeconds: 40))
        run.finish(2, .final(RecipientResult(index: 2, outcome: .delivered)))
        let part = try #require(run.takePart())
        #expect(part.settlement.results.map(\.index) == [2])
        #expect(part.settlement.retries.map { $0.records.map(\.index) } == [[1]])
        #expect(part.settlement.retries.map { $0.records.map(\.attempt) } == [[3]])
        #expect(part.untouched == [])
        // A part that could not be settled comes again, with what is done since.
        run.finish(0, .requeued(inSeconds: 60))
        let second = try #require(run.takePart())
        #expect(second.settlement.results.map(\.index) == [2])
        #expect(second.settlement.retries.map { $0.records.map(\.index) } == [[1], [0]])
        run.settled(second)
        #expect(run.takePart() == nil)
        run.finish(3, .final(RecipientResult(index: 3, outcome: .bounced)))
        run.finish(4, .final(RecipientResult(index: 4, outcome: .bounced)))
        guard case .settle(let rest) = run.conclusion() else {
            Issue.record("not settled")
            return
        }
        #expect(rest.results.map(\.index) == [3, 4] && rest.retries.isEmpty)
    }

    @Test func `of a cancelled batch those are done with that were never begun`() async throws {
        let time = TestClock()
        let run = try BatchRun.sample(3, clock: time.clock)
        run.finish(0, .final(RecipientResult(index: 0, outcome: .delivered)))
        run.stop(.cancel)
        run.finish(2, .untouched)
        time.pass(seconds: 10)
        let step = Task { await run.next() }
        // Whenever it begins to wait.
        let ticking = Task {
            while !Task.isCancelled {
                run.tick()
                try? await Task.sleep(for: .milliseconds(5))
            }
        }
        #expect(await step.value == .part)
        ticking.cancel()
        let part = try #require(run.takePart())
        #expect(part.settlement.results.map(\.index) == [0] && part.untouched == [2])
        run.settled(part)
        run.finish(1, .final(RecipientResult(index: 1, outcome: .delivered)))
        #expect(await run.next() == .ended)
        #expect(End(run.conclusion()) == .settle([1]))
    }

    @Test(arguments: [BatchRun.StopReason.park, .abandon])
    func `a batch that is given back has no parts`(_ reason: BatchRun.StopReason) throws {
        var timing = PartTiming(startedAt: 0)
        timing.finished(dueAt: 0)
        #expect(timing.isDue(at: 3_600))
        timing.parked()
        #expect(!timing.isDue(at: 3_600))
        let run = try BatchRun.sample(2)
        run.finish(0, .untouched)
        run.stop(reason)
        #expect(run.takePart() == nil)
    }

    // MARK: The expiry

    @Test(
        arguments: [
            // It is far, near, over; and it had passed when the batch was claimed.
            (1_000, false, 900, 110), (1_000, false, 1_000, 10), (1_000, false, 2_000, 10), (1_000, true, 2_000, 60),
            (.max, false, 900, 315_360_010), (.max, false, -5, 315_360_010),
        ] as [(Int64, Bool, Int64, Double)])
    func `mail starts until a little after the expiry`(
        _ expiry: Int64, _ isExpired: Bool, _ now: Int64, _ seconds: Double
    ) {
        #expect(LastCall.after(expiry: expiry, isExpired: isExpired, now: now) == seconds)
    }

    @Test func `a run ends for its campaign's expiry without being stopped`() throws {
        let run = try BatchRun.sample(1, expiresAt: 1_000, clock: .state(at: 1_011))
        // By the table above: it has its grace.
        #expect(run.mayStart)
        #expect(!run.isStopped)
        #expect(run.isExpired(at: 1_000) && !run.isExpired(at: 999))
    }

    // MARK: Leases

    @Test func `no mail starts after the lease`() throws {
        let time = TestClock()
        let run = try BatchRun.sample(1, leaseEnd: 60, clock: time.clock)
        time.pass(seconds: 59)
        #expect(run.mayStart && run.hasLease && !run.isStopped)
        time.pass(seconds: 1)
        #expect(!run.mayStart && !run.hasLease && run.isStopped)
        run.extendLease(to: 120)
        #expect(run.mayStart && run.hasLease && !run.isStopped)
        // An answer that comes late must not shorten what a later one granted.
        run.extendLease(to: 59)
        #expect(run.mayStart)
    }

    @Test(arguments: [BatchRun.StopReason.park, .cancel, .abandon])
    func `no mail starts once the run was stopped`(_ reason: BatchRun.StopReason) throws {
        let run = try BatchRun.sample(1)
        #expect(run.mayStart)
        run.stop(reason)
        #expect(!run.mayStart)
        #expect(run.hasLease)
        run.extendLease(to: 120)
        #expect(!run.mayStart)
    }
}

extension BatchRun {
    /// A run that no database knows.
    static func sample(
        _ count: Int, of account: AccountID = AccountID(rawValue: 1), attempts: [UInt8]? = nil,
        leaseEnd: Double = .infinity, expiresAt: Int64 = .max, clock: DeliveryClock = .system
    ) throws -> BatchRun {
        let campaign = CampaignID(rawValue: 1)
        let domain = try DomainName("shop.example")
        let records = try (0..<count).map { index in
            RecipientRecord(
                index: Int32(index), attempt: attempts?[index] ?? 0,
                address: try EmailAddress("person\(index)@example.org"))
        }
        let content = MessageContent(
            from: try Mailbox(name: nil, address: EmailAddress("news@shop.example")), subject: "Offer", text: "Hello.")
        let runtime = try CampaignRuntime(
            account: account, campaign: campaign,
            sendable: SendableCampaign(
                account: account, campaign: campaign, content: content, fromDomain: domain, inDoubt: .resend,
                expirySeconds: 3_600),
            signer: DKIMSigner(domain: domain, keys: [(selector: "s1", key: .generate(.ed25519SHA256))]),
            keys: AccountKeys(SealingKey()), publicURL: nil)
        return BatchRun(
            ClaimedBatch(
                id: BatchID(account: account, campaign: campaign, number: 1), epoch: 1, work: .open,
                records: records, progress: [:], isRetry: false, campaignExpiresAt: expiresAt),
            runtime: runtime, fingerprints: records.map { runtime.keys.fingerprinter.fingerprint($0.address) },
            leaseEnd: leaseEnd, clock: clock)
    }

    /// Waits for the end, whatever parts are due before.
    func wait() async {
        while await next() == .part {}
    }
}
