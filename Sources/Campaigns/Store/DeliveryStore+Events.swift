package import MailTypes
import Postgres
package import Vault
import Webhooks

/// Who a recipient of a batch is, by position in the campaign.
package typealias RecipientLookUp = @Sendable (Int32) -> (address: EmailAddress, fingerprint: Fingerprint)?

// Events of recipients are written in the transaction that makes them true: with the journal group that holds the answer, or
// with the settlement that ends what has none.
extension DeliveryStore {
    /// Whether somebody wants to be told of the account's recipients.
    package func tells(_ account: AccountID) -> Bool {
        webhooks.map { !$0.types(of: account).isDisjoint(with: .messages) } ?? false
    }

    func tells(_ groups: [JournalGroup]) -> Bool {
        webhooks != nil
            && groups.contains { group in
                tells(group.batch.account) && group.entries.contains { $0.event != nil }
            }
    }

    /// Those of the groups that were applied now; what was applied before was told with it.
    func tell(
        _ groups: [JournalGroup], _ states: [BatchID: LeaseState], _ people: [BatchID: RecipientLookUp],
        on connection: PostgresConnection
    ) async throws {
        var told: [WebhookOutbox.Group] = []
        for group in groups {
            guard case .applied = states[group.batch], let key = try await keyOfTold(group) else { continue }
            let person =
                if let known = people[group.batch] { known } else {
                    try await storedPeople(group.batch, key, on: connection)
                }
            told.append(events(of: group, person, key))
        }
        try await WebhookOutbox.append(told, on: connection)
    }

    /// What is told of groups that are all applied, by batch; nil where the database must be asked who the recipients are.
    func events(
        of groups: [JournalGroup], _ people: [BatchID: RecipientLookUp]
    ) async throws -> [BatchID: WebhookOutbox.Group]? {
        var told: [BatchID: WebhookOutbox.Group] = [:]
        for group in groups {
            guard let key = try await keyOfTold(group) else { continue }
            guard let person = people[group.batch] else { return nil }
            told[group.batch] = events(of: group, person, key)
        }
        return told
    }

    /// Nil where nothing of the group is told.
    private func keyOfTold(_ group: JournalGroup) async throws -> SealingKey? {
        guard let wanted = webhooks?.types(of: group.batch.account),
            group.entries.contains(where: { $0.event.map(wanted.contains) ?? false })
        else { return nil }
        return try await vault.keyOfLeased(group.batch)
    }

    private func events(of group: JournalGroup, _ person: RecipientLookUp, _ key: SealingKey) -> WebhookOutbox.Group {
        let wanted = webhooks?.types(of: group.batch.account) ?? []
        let events = group.entries.compactMap { entry -> WebhookEvent? in
            guard let type = entry.event, wanted.contains(type), let (address, fingerprint) = person(entry.index)
            else { return nil }
            return WebhookEvent.message(
                type, index: entry.index, fingerprint: fingerprint, address: address, reply: entry.reply)
        }
        return WebhookOutbox.Group(events, account: group.batch.account, campaign: group.batch.campaign, key: key)
    }

    /// What a settlement has ended without an attempt of its own.
    func tell(
        _ ended: [RecipientResult], of batch: BatchID, _ recipients: [RecipientRecord], _ key: SealingKey,
        on connection: PostgresConnection
    ) async throws {
        guard let webhooks, !ended.isEmpty else { return }
        let wanted = webhooks.types(of: batch.account)
        let results = ended.filter { $0.outcome?.event.map(wanted.contains) ?? false }
        guard !results.isEmpty else { return }
        let person = try await lookUp(recipients, of: batch.account, on: connection)
        let events = results.compactMap { result -> WebhookEvent? in
            guard let type = result.outcome?.event, let (address, fingerprint) = person(result.index)
            else { return nil }
            return WebhookEvent.message(
                type, index: result.index, fingerprint: fingerprint, address: address, reply: result.reply)
        }
        try await WebhookOutbox.append(
            events, account: batch.account, campaign: batch.campaign, key: key, on: connection)
    }

    private func storedPeople(
        _ batch: BatchID, _ key: SealingKey, on connection: PostgresConnection
    ) async throws -> RecipientLookUp {
        try await lookUp(recipients(of: batch, key, on: connection), of: batch.account, on: connection)
    }

    private func lookUp(
        _ recipients: [RecipientRecord], of account: AccountID, on connection: PostgresConnection
    ) async throws -> RecipientLookUp {
        let fingerprinter = try await vault.accountKeys(account, on: connection).fingerprinter
        let addresses = Dictionary(recipients.map { ($0.index, $0.address) }) { first, _ in first }
        return { index in addresses[index].map { ($0, fingerprinter.fingerprint($0)) } }
    }
}

extension WebhookEventTypes {
    static let messages = WebhookEventTypes(
        [.messageDelivered, .messageBounced, .messageDeferred, .messageSuppressed, .messageExpired, .messageInDoubt])
}

extension WebhookEvent {
    fileprivate static func message(
        _ type: WebhookEventType, index: Int32, fingerprint: Fingerprint, address: EmailAddress, reply: RecipientReply
    ) -> WebhookEvent {
        message(
            type, index: index, fingerprint: fingerprint, address: address, code: reply.code,
            enhanced: reply.enhanced, reply: reply.text)
    }
}

extension JournalEntry {
    /// What is told of it; nil for nothing.
    fileprivate var event: WebhookEventType? {
        switch kind {
        case .outcome(let outcome): outcome.event
        case .deferred: wasTried ? .messageDeferred : nil
        case .intent, .withdrawn, .inDoubtResend: nil
        }
    }
}

extension Outcome {
    fileprivate var event: WebhookEventType? {
        switch self {
        case .delivered: .messageDelivered
        case .bounced: .messageBounced
        case .expired: .messageExpired
        case .suppressed: .messageSuppressed
        case .inDoubt: .messageInDoubt
        case .invalid, .cancelled: nil
        }
    }
}
