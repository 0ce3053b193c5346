import Campaigns
import HTTPAPI
import Identity
import Logging
import MailMessage
import MailTypes
import Postgres
import TestDatabases
import TestStores
import TestSupport
import Vault

/// Makes the mails of the installation, and delivers them as a node does. It claims what all accounts send, so it wants a database
/// of its own.
struct Mailroom: Sendable {
    let fixture: APIFixture
    let account: AccountID
    let mailer: InstallationMailer

    /// What stood in a mail besides its words.
    struct Mail: Sendable {
        let address: String
        let variables: MergeVariables

        subscript(name: String) -> String? {
            guard case .text(let text) = variables[name] else { return nil }
            return text
        }

        /// Behind `#` in the link.
        var secret: String { String((self["link"] ?? "").drop { $0 != "#" }.dropFirst()) }
    }

    static func make(_ fixture: APIFixture, credits: Int64 = 100) async throws -> Mailroom {
        let account = try await fixture.stores.accountWithDomain("installation", credits: credits)
        let mail = InstallationMail(
            account: account, sender: try Mailbox.parse("Sluice <no-reply@shop.example>"), publicURL: Browser.origin)
        return Mailroom(
            fixture: fixture, account: account,
            mailer: InstallationMailer(
                mail, pending: PendingMails(pool: fixture.records.pool, vault: fixture.stores.vault),
                campaigns: fixture.stores.campaigns,
                logger: .silent))
    }

    /// All that are due.
    func deliver() async throws -> [Mail] {
        await mailer.sendDue()
        var mails: [Mail] = []
        while let batch = try await fixture.store.claim(node: "postman", leaseSeconds: 60, limit: 1).first {
            mails += batch.records.map { Mail(address: $0.address.text, variables: $0.variables) }
            let entries = batch.records.flatMap { record in
                [
                    JournalEntry(index: record.index, kind: .intent),
                    JournalEntry(index: record.index, kind: .outcome(.delivered), replyCode: 250, text: "ok"),
                ]
            }
            _ = try await fixture.store.append(
                node: "postman", [JournalGroup(batch: batch.id, epoch: batch.epoch, entries: entries)])
            let results = batch.records.map { RecipientResult(index: $0.index, outcome: .delivered) }
            _ = try await fixture.store.settle(
                batch.id, node: "postman", epoch: batch.epoch, BatchSettlement(results: results))
            _ = try await fixture.store.complete(batch.id.account, batch.id.campaign)
        }
        return mails
    }
}

extension APIFixture {
    /// The owner of a fresh customer's account, signed in, over a database of its own with somebody who sends its mail.
    static func withMailroom<Value>(
        credits: Int64 = 100, _ body: @Sendable (Mailroom, Customer, Browser) async throws -> Value
    ) async throws -> Value {
        let fixture = try await make()
        let room = try await Mailroom.make(fixture, credits: credits)
        let customer = try await fixture.customer()
        let owner = try await fixture.user(.member(customer.account, .owner))
        let value = try await fixture.withPages { api in
            try await body(room, customer, try await fixture.signIn(owner, api))
        }
        await fixture.records.close()
        await fixture.vaultDatabase.close()
        return value
    }
}
