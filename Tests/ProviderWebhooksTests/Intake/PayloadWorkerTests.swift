import Feedback
import Foundation
import MailTypes
import Postgres
import Synchronization
import TestDatabases
import TestStores
import TestSupport
import Testing
import Vault

@testable import ProviderWebhooks

@Suite struct PayloadWorkerTests {
    /// Counts what it is asked to follow.
    private final class Counter: FeedbackFollower {
        let seen = Mutex<[FeedbackEvent]>([])
        func follow(_ new: [FeedbackEvent], on connection: PostgresConnection) async throws {
            seen.withLock { $0 += new }
        }
    }

    @Test func `many providers, many times, many workers: each fact has its effects once`() async throws {
        let counter = Counter()
        try await Desk.with(followers: [counter]) { desk in
            var tokens: [String] = []
            for number in 0..<20 { tokens.append(try await desk.token("reader\(number)@example.org")) }
            let senders = try await Self.sources(of: [.sendgrid, .sparkpost, .mailjet, .generic], at: desk)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for round in 0..<5 {
                    for (specimen, secret) in senders {
                        // In another order each time, and each time signed anew.
                        let shuffled = tokens.shuffled()
                        let request = try specimen.hardBounces(shuffled, now: Desk.now + Int64(round))
                        group.addTask { try await desk.expect(request, specimen.kind, secret, answers: 200) }
                    }
                }
                for _ in 0..<4 {
                    group.addTask {
                        for _ in 0..<40 {
                            _ = try await desk.worker.round()
                            try await Task.sleep(for: .milliseconds(5))
                        }
                    }
                }
                try await group.waitForAll()
            }
            try await desk.workOff()
            #expect(counter.seen.withLock { Set($0.map(\.recipient)).count } == 20)
            #expect(try await desk.facts().count == 20)
            let noted = try await desk.sources.list().reduce(0) { $0 + $1.noted }
            #expect(noted == 20)
            #expect(try await desk.payloads(waiting: true) == 0)
        }
    }

    private static func sources(
        of kinds: [ProviderKind], at desk: Desk
    ) async throws -> [(ProviderSpecimen, String)] {
        var found: [(ProviderSpecimen, String)] = []
        for kind in kinds {
            let specimen = try ProviderSpecimen(kind)
            found.append((specimen, try await desk.source(specimen).secret))
        }
        return found
    }

    @Test func `an address alone tells nothing: without a token of ours nobody is suppressed`() async throws {
        try await Desk.with { desk in
            let specimen = try ProviderSpecimen(.generic)
            let (id, secret) = try await desk.source(specimen)
            let body = #"{"events":[{"type":"complaint","email":"jane@example.org","token":"nothing"}]}"#
            try await desk.expect(specimen.sign(Array(body.utf8), now: Desk.now), .generic, secret, answers: 200)
            try await desk.workOff()
            #expect(try await desk.facts().isEmpty)
            #expect(try await desk.suppression(of: "jane@example.org") == nil)
            let source = try #require(try await desk.sources.list().first { $0.id == id })
            #expect((source.events, source.recognised, source.noted) == (1, 0, 0))
        }
    }

    @Test func `a token tells its own account, whatever else the report says`() async throws {
        try await Desk.with { desk in
            let other = try await desk.stores.account("other", credits: 0)
            let specimen = try ProviderSpecimen(.sendgrid)
            let (_, secret) = try await desk.source(specimen)
            let theirs = try await desk.token("jane@example.org", of: other)
            try await desk.expect(specimen.hardBounces([theirs], now: Desk.now), .sendgrid, secret, answers: 200)
            try await desk.workOff()
            #expect(try await desk.suppression(of: "jane@example.org") == nil)
            let found = try await desk.stores.suppressions.find(try EmailAddress("jane@example.org"), account: other)
            #expect(found?.reason == .hardBounce)
        }
    }

    @Test func `a stopped account's report waits, and the others of the same body do not`() async throws {
        try await Desk.with { desk in
            let stopped = try await desk.stores.account("stopped", credits: 0)
            let specimen = try ProviderSpecimen(.sendgrid)
            let (id, secret) = try await desk.source(specimen)
            let tokens = [
                try await desk.token("jane@example.org", of: stopped), try await desk.token("john@example.org"),
            ]
            let wrapped = try await desk.stores.vaultDatabase.owner.query(
                "DELETE FROM account_keys WHERE account_id = \(stopped.rawValue) RETURNING wrapped"
            ).only.decode([UInt8].self)
            // Another node, whose memory has not the key.
            let vault = desk.stores.newVault()
            let pool = desk.stores.records.pool
            let worker = PayloadWorker(
                records: pool, vault: vault,
                intake: FeedbackIntake(
                    records: pool, followers: [SuppressionFollower(suppressions: desk.stores.suppressions)]),
                logger: .silent)
            try await desk.expect(specimen.hardBounces(tokens, now: Desk.now), .sendgrid, secret, answers: 200)
            #expect(try await worker.round() == 1)
            #expect(try await worker.round() == 0)
            #expect(try await desk.suppression(of: "john@example.org") == .hardBounce)
            #expect(try await desk.payloads(waiting: true) == 1)
            try await desk.stores.vaultDatabase.owner.query(
                "INSERT INTO account_keys (account_id, wrapped) VALUES (\(stopped.rawValue), \(wrapped))")
            try await desk.stores.records.owner.query("UPDATE provider_payloads SET due_at = now()")
            #expect(try await worker.round() == 1)
            let found = try await desk.stores.suppressions.find(try EmailAddress("jane@example.org"), account: stopped)
            #expect(found?.reason == .hardBounce)
            #expect(try await desk.payloads(waiting: true) == 0)
            #expect(try await desk.sources.list().first { $0.id == id }?.noted == 1)
        }
    }

    @Test func `what cannot be written down comes again later and keeps nobody waiting`() async throws {
        struct Refuser: FeedbackFollower {
            let refused: Int64
            func follow(_ new: [FeedbackEvent], on connection: PostgresConnection) async throws {
                if new.contains(where: { $0.recipient.campaign.rawValue == refused }) {
                    try await connection.query("SELECT 1 / (\(refused) - 13)")
                }
            }
        }
        try await Desk.with(followers: [Refuser(refused: 13)]) { desk in
            let specimen = try ProviderSpecimen(.sendgrid)
            let (_, secret) = try await desk.source(specimen)
            for campaign in 11...15 {
                let token = try await desk.token("jane@example.org", campaign: Int64(campaign))
                try await desk.expect(specimen.hardBounces([token], now: Desk.now), .sendgrid, secret, answers: 200)
            }
            try await desk.workOff()
            #expect(try await desk.facts().count == 4)
            #expect(try await desk.payloads(waiting: true) == 1)
        }
    }

    @Test func `only the body that cannot be written down is put off, whichever has waited longest by then`()
        async throws
    {
        /// While it refuses one body, the other ones become older than that.
        struct Refuser: FeedbackFollower {
            let others: @Sendable () async throws -> Void
            func follow(_ new: [FeedbackEvent], on connection: PostgresConnection) async throws {
                guard new.contains(where: { $0.recipient.campaign.rawValue == 11 }) else { return }
                try await others()
                try await connection.query("SELECT 1 / (0 * \(Int64(new.count)))")
            }
        }
        let owner = Mutex<PostgresPool?>(nil)
        let refuser = Refuser {
            try await owner.withLock { $0 }?.query(
                """
                UPDATE provider_payloads SET due_at = now() - interval '2 hours'
                WHERE due_at = (SELECT max(due_at) FROM provider_payloads)
                """)
        }
        try await Desk.with(followers: [refuser]) { desk in
            owner.withLock { $0 = desk.stores.records.owner }
            let specimen = try ProviderSpecimen(.sendgrid)
            let (_, secret) = try await desk.source(specimen)
            for (campaign, name) in [(11, "jane"), (12, "john")] {
                let token = try await desk.token("\(name)@example.org", campaign: Int64(campaign))
                try await desk.expect(specimen.hardBounces([token], now: Desk.now), .sendgrid, secret, answers: 200)
            }
            #expect(try await desk.worker.round() >= 1)
            try await desk.workOff()
            #expect(try await desk.facts() == ["hardBounce provider:sendgrid userunknown"])
            #expect(try await desk.payloads(waiting: true) == 1)
            let waits = try await desk.stores.records.owner.query(
                "SELECT count(*) FROM provider_payloads WHERE sealed IS NOT NULL AND due_at > now()")
            #expect(try waits.only.decode(Int.self) == 1)
        }
    }

    @Test func `what cannot be written down goes once its receipt is old`() async throws {
        struct Refuser: FeedbackFollower {
            func follow(_ new: [FeedbackEvent], on connection: PostgresConnection) async throws {
                try await connection.query("SELECT 1 / 0")
            }
        }
        try await Desk.with(followers: [Refuser()]) { desk in
            let specimen = try ProviderSpecimen(.sendgrid)
            let (_, secret) = try await desk.source(specimen)
            let token = try await desk.token("jane@example.org")
            try await desk.expect(specimen.hardBounces([token], now: Desk.now), .sendgrid, secret, answers: 200)
            try await desk.workOff()
            #expect(try await desk.payloads(waiting: true) == 1)
            try await desk.stores.records.owner.query(
                """
                UPDATE provider_payloads SET due_at = now(),
                    received_at = now() - make_interval(hours => \(Int32(ProviderLimits.receiptHours + 1)))
                """)
            #expect(try await desk.worker.round() == 1)
            #expect(try await desk.payloads(waiting: true) == 0)
            let problems = try await desk.stores.records.owner.query(
                "SELECT problem FROM provider_payloads WHERE problem IS NOT NULL"
            ).map { try $0.decode(String.self) }
            #expect(problems == ["not stored"])
            #expect(try await desk.facts().isEmpty)
        }
    }

    @Test func `an odd type of a complaint is stored as another one`() async throws {
        try await Desk.with { desk in
            let specimen = try ProviderSpecimen(.generic)
            let (_, secret) = try await desk.source(specimen)
            let token = try await desk.token("jane@example.org")
            let body = #"{"events":[{"type":"complaint","complaint_type":"a\u0000b","token":"\#(token)"}]}"#
            try await desk.expect(specimen.sign(Array(body.utf8), now: Desk.now), .generic, secret, answers: 200)
            try await desk.workOff()
            #expect(try await desk.facts() == ["complaint provider:\(ProviderKind.generic.rawValue) other"])
            #expect(try await desk.suppression(of: "jane@example.org") == .complaint)
        }
    }

    /// Keeps what it is asked to follow, each time.
    private final class Listener: FeedbackFollower {
        let times = Mutex<[[FeedbackEvent]]>([])
        func follow(_ new: [FeedbackEvent], on connection: PostgresConnection) async throws {
            times.withLock { $0.append(new) }
        }
    }

    @Test func `what one body tells of several accounts is followed once and in order`() async throws {
        let listener = Listener()
        try await Desk.with(followers: [listener]) { desk in
            let accounts = [
                desk.account, try await desk.stores.account("second", credits: 0),
                try await desk.stores.account("third", credits: 0),
            ]
            let specimen = try ProviderSpecimen(.sendgrid)
            let (id, secret) = try await desk.source(specimen)
            var tokens: [String] = []
            // More than one statement notes.
            for number in 0..<700 {
                for account in accounts {
                    tokens.append(try await desk.token("reader\(number)@example.org", of: account))
                }
            }
            let request = try specimen.hardBounces(tokens.shuffled(), now: Desk.now)
            try await desk.expect(request, .sendgrid, secret, answers: 200)
            try await desk.workOff()
            let times = listener.times.withLock { $0 }
            #expect(times.map(\.count) == [2_100])
            let places = times.joined().map { ($0.recipient.account.rawValue, $0.recipient.fingerprint.high) }
            let isInOrder = zip(places, places.dropFirst()).allSatisfy { pair in pair.0 <= pair.1 }
            #expect(isInOrder)
            #expect(Set(places.map { $0.0 }).count == 3)
            #expect(try await desk.sources.list().first { $0.id == id }?.noted == 2_100)
        }
    }

    @Test func `a test goes all the way and is undone`() async throws {
        try await Desk.with { desk in
            var senders: [(specimen: ProviderSpecimen, id: Int64, secret: String)] = []
            for kind in ProviderKind.allCases {
                let specimen = try ProviderSpecimen(kind)
                let (id, secret) = try await desk.source(specimen, isTest: true)
                senders.append((specimen, id, secret))
            }
            for (specimen, id, secret) in senders {
                let request = try specimen.hardBounces([try await desk.token("jane@example.org")], now: Desk.now)
                #expect(try await desk.sources.testResult(id) == nil)
                try await desk.expect(request, specimen.kind, secret, answers: 200)
                try await desk.workOff()
                let result = try await desk.sources.testResult(id)
                #expect(result == .init(events: 1, recognised: 1, noted: 1, problem: nil), "\(specimen.kind)")
            }
            #expect(try await desk.facts().isEmpty)
            #expect(try await desk.suppression(of: "jane@example.org") == nil)
            #expect(try await desk.sources.list().isEmpty)
        }
    }

    @Test func `a sealed body opens only in its own row`() async throws {
        try await Desk.with { desk in
            let specimen = try ProviderSpecimen(.sendgrid)
            let (_, secret) = try await desk.source(specimen)
            for name in ["jane", "john"] {
                let token = try await desk.token("\(name)@example.org")
                try await desk.expect(specimen.hardBounces([token], now: Desk.now), .sendgrid, secret, answers: 200)
            }
            try await desk.stores.records.owner.query(
                "UPDATE provider_payloads SET sealed = (SELECT sealed FROM provider_payloads ORDER BY receipt LIMIT 1)")
            try await desk.workOff()
            #expect(try await desk.facts().count == 1)
            let problems = try await desk.stores.records.owner.query(
                "SELECT problem FROM provider_payloads WHERE problem IS NOT NULL"
            ).map { try $0.decode(String.self) }
            #expect(problems == ["does not open"])
        }
    }

    @Test func `receipts go once nothing can come again for them, and bodies at once`() async throws {
        try await Desk.with { desk in
            let specimen = try ProviderSpecimen(.sendgrid)
            let (_, secret) = try await desk.source(specimen)
            let token = try await desk.token("jane@example.org")
            try await desk.expect(specimen.hardBounces([token], now: Desk.now), .sendgrid, secret, answers: 200)
            #expect(try await desk.worker.sweep() == 0)
            try await desk.workOff()
            #expect(try await desk.worker.sweep() == 0)
            #expect(try await desk.payloads(waiting: false) == 1)
            try await desk.stores.records.owner.query(
                "UPDATE provider_payloads SET received_at = now() - make_interval(hours => \(Int32(ProviderLimits.receiptHours + 1)))"
            )
            #expect(try await desk.worker.sweep() == 1)
            #expect(try await desk.payloads(waiting: false) == 0)
        }
    }
}
