import Feedback
import Foundation
import Logging
import MailTypes
import Postgres
import ProviderWebhooks
import Synchronization
import TestDatabases
import TestStores
import TestSupport
import Testing
import Vault

/// Where reports come in and are worked off, over a fresh database, with an account.
struct Desk {
    /// The time that signatures are checked against, until a test sets another.
    static let now = Int64(Date().timeIntervalSince1970)

    let stores: Stores
    let account: AccountID
    let sources: ProviderSources
    private(set) var intake: ProviderIntake
    let worker: PayloadWorker
    let clock: TestTime

    final class TestTime: Sendable {
        private let seconds = Mutex(Desk.now)
        var now: Int64 { seconds.withLock { $0 } }
        func set(_ time: Int64) { seconds.withLock { $0 = time } }
    }

    init(https: AmazonHTTPS = AmazonHTTPS(), followers: [any FeedbackFollower]? = nil) async throws {
        stores = try await Stores.open()
        account = try await stores.account("customer", credits: 0)
        let (pool, clock) = (stores.records.pool, TestTime())
        self.clock = clock
        sources = ProviderSources(records: pool, vault: stores.vault)
        intake = ProviderIntake(
            records: pool, vault: stores.vault, certificates: SigningCertificates(https: https), logger: .silent,
            now: { clock.now })
        let followers = followers ?? [SuppressionFollower(suppressions: stores.suppressions)]
        worker = PayloadWorker(
            records: pool, vault: stores.vault, intake: FeedbackIntake(records: pool, followers: followers),
            logger: .silent)
    }

    /// The same desk, which reaches Amazon elsewhere.
    func reaching(_ https: AmazonHTTPS) -> Desk {
        var desk = self
        desk.intake = ProviderIntake(
            records: stores.records.pool, vault: stores.vault, certificates: SigningCertificates(https: https),
            logger: .silent, now: { [clock] in clock.now })
        return desk
    }

    func token(
        _ address: String, campaign: Int64 = 7, of account: AccountID? = nil
    ) async throws -> String {
        let account = account ?? self.account
        let keys = try await stores.vault.accountKeys(account)
        return RecipientToken(
            account: account, campaign: CampaignID(rawValue: campaign),
            fingerprint: keys.fingerprinter.fingerprint(try EmailAddress(address))
        ).text(signedWith: keys)
    }

    /// A source that believes the specimen, and its secret.
    func source(_ specimen: ProviderSpecimen, isTest: Bool = false) async throws -> (id: Int64, secret: String) {
        let (id, secret) = try await sources.add(
            specimen.kind, name: "test", material: specimen.material, isTest: isTest)
        return (id, secret.text.exposed)
    }

    /// As the route does it.
    func post(
        _ request: ProviderSpecimen.Request, to kind: ProviderKind, _ secret: String
    ) async throws -> ProviderAnswer? {
        guard let admission = try await intake.admit(provider: kind.rawValue, secret: secret) else { return nil }
        return await intake.take(ProviderDelivery(headers: request.headers, body: request.body), for: admission)
    }

    /// The status that a source gives to a request.
    func status(
        _ request: ProviderSpecimen.Request, _ kind: ProviderKind, _ secret: String
    ) async throws -> Int? {
        try await post(request, to: kind, secret)?.status
    }

    func expect(
        _ request: ProviderSpecimen.Request, _ kind: ProviderKind, _ secret: String, answers wanted: Int,
        at place: SourceLocation = #_sourceLocation
    ) async throws {
        let status = try await status(request, kind, secret)
        #expect(status == wanted, sourceLocation: place)
    }

    /// Works everything off.
    func workOff() async throws {
        while try await worker.round() > 0 {}
    }

    /// `hardBounce provider:ses userunknown` and so on, of the account.
    func facts() async throws -> [String] {
        try await stores.records.owner.query(
            "SELECT fact, channel, reason FROM feedback_facts WHERE account_id = \(account.rawValue) ORDER BY 1, 2, 3"
        ).map { row in
            let (fact, channel, reason) = try row.decode(Int16.self, String.self, String.self)
            return "\(FeedbackFact(rawValue: fact).map { "\($0)" } ?? "?") \(channel) \(reason)"
        }
    }

    func suppression(of address: String) async throws -> SuppressionReason? {
        try await stores.suppressions.find(try EmailAddress(address), account: account)?.reason
    }

    func payloads(waiting: Bool) async throws -> Int {
        try await stores.records.owner.query(
            "SELECT count(*) FROM provider_payloads WHERE (sealed IS NOT NULL) = \(waiting)"
        ).only.decode(Int.self)
    }

    func close() async {
        await stores.records.close()
        await stores.vaultDatabase.close()
    }

    /// Lends a desk.
    static func with(
        https: AmazonHTTPS = AmazonHTTPS(), followers: [any FeedbackFollower]? = nil,
        _ body: (Desk) async throws -> Void
    ) async throws {
        let desk = try await Desk(https: https, followers: followers)
        do {
            try await body(desk)
        } catch {
            await desk.close()
            throw error
        }
        await desk.close()
    }
}
