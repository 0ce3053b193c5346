import Logging
package import MailTypes
import Postgres
import Vault

extension DeliveryStore {
    /// Takes the node's name for this process and ends the leases that an earlier life of the node left, so that their
    /// batches can be claimed at once. Call it before the first claim.
    ///
    /// - Parameter local: the node's own journal, from which the answers are taken up that its earlier life could not
    ///   commit any more.
    /// - Throws: ``NodeError/alreadyRunning`` while another process holds the name.
    package func register(node: String, recovering local: LocalJournal? = nil) async throws {
        let registration = try await NodeRegistration.take(node, records.configuration, logger: logger)
        let life = String(UInt64.random(in: 0 ... .max), radix: 36)
        do {
            if let local { try await recover(node: node, from: local) }
            try await records.withTransaction { connection in
                try await connection.query(
                    """
                    INSERT INTO nodes (node, started_at, seen_at, life)
                    VALUES (\(node), clock_timestamp(), clock_timestamp(), \(life))
                    ON CONFLICT (node) DO UPDATE
                    SET started_at = excluded.started_at, seen_at = excluded.seen_at, life = excluded.life
                    """)
                try await connection.query("SELECT free_leases(\(node))")
                try await CampaignChannel.notifyWork(on: connection)
            }
        } catch {
            await registration.end()
            throw error
        }
        local?.begin(life)
        registrations.add(registration, for: node)
    }

    /// Gives the name back. Leases stay until they run out or the name is registered again.
    package func unregister(node: String) async {
        await registrations.remove(node)?.end()
    }

    /// Journals what an earlier life of the node left in its own files and did not commit: answers, and that intents
    /// without a mark were never sent. Only batches that nobody has claimed since, and only recipients whose intent is
    /// open: anything else is known already, or another's.
    private func recover(node: String, from local: LocalJournal) async throws {
        let held = try await records.query(
            "SELECT account_id, campaign_id, batch_no, epoch FROM adopt_leases(\(node), \(Self.recoverySeconds))"
        ).map { row in
            let (account, campaign, number, epoch) = try row.decode(Int64.self, Int64.self, Int32.self, Int64.self)
            return (batch: BatchID(account, campaign, number), epoch: epoch)
        }
        guard !held.isEmpty else { return }
        let life = try await records.query("SELECT life FROM nodes WHERE node = \(node)").first?.decode(String.self)
        let marks = life.flatMap { try? local.marks.marks(of: $0) }
        let found = Dictionary(grouping: try local.records()) { $0.batch }
        var groups: [JournalGroup] = []
        var (answered, withdrawn) = (0, 0)
        for (batch, epoch) in held {
            do {
                let known = try await known(of: batch, epoch, from: found[batch] ?? [], marks)
                answered += known.answers.count
                withdrawn += known.neverSent.count
                let entries = known.answers + known.neverSent.map { JournalEntry(index: $0, kind: .withdrawn) }
                if !entries.isEmpty { groups.append(JournalGroup(batch: batch, epoch: epoch, entries: entries)) }
            } catch let error where error is VaultError || error is CampaignError {
                // One batch that nobody can open must not keep the node from its other work.
                logger.error("batch not taken up", metadata: ["batch": "\(batch)", "error": "\(error)"])
            }
        }
        if !groups.isEmpty { _ = try await append(node: node, groups) }
        logger.notice(
            "work of an earlier life taken up",
            metadata: [
                "batches": "\(held.count)", "answers": "\(answered)", "never_sent": "\(withdrawn)",
                "marks": "\(marks == nil ? "missing" : "whole")",
            ])
    }

    /// What the node's files tell of the open intents of a batch.
    ///
    /// - Parameter marks: nil where some may be missing.
    private func known(
        of batch: BatchID, _ epoch: Int64, from found: [LocalJournal.Record], _ marks: Set<FinalDotMarks.Mark>?
    ) async throws -> (answers: [JournalEntry], neverSent: [Int32]) {
        var open = try await records.withConnection { connection in
            try await JournalReplay(vault: vault).openIntents(of: batch, on: connection)
        }
        guard !open.isEmpty else { return ([], []) }
        let key = try await vault.openingKey(batch.account, batch.campaign)
        let answers = found.filter { $0.epoch == epoch }.flatMap { (try? $0.entries(key)) ?? [] }
            .filter { open[$0.index] != nil }
        for answer in answers { open[answer.index] = nil }
        guard let marks else { return (answers, []) }
        // Of this claim alone: of an earlier one's intents the node that had it knows more.
        let neverSent = open.filter { index, claim in
            claim == epoch && !marks.contains(.init(batch: batch, epoch: epoch, index: index))
        }
        return (answers, Array(neverSent.keys))
    }

    private static let recoverySeconds: Double = 60

    /// Seals entries for the node's own journal.
    package func journalSealer(_ account: AccountID, _ campaign: CampaignID) async throws -> JournalSealer {
        JournalSealer(key: try await vault.campaignKey(account, campaign))
    }
}
