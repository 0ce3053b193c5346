import Campaigns
import MailTypes
import TrafficShaping
import Vault

/// Turns a claimed batch into mails in lanes: takes up what an earlier run left, drops suppressed and expired
/// recipients, and finds the lane of each remaining domain. Test batches have an opener of their own.
struct BatchOpener: Sendable {
    /// Where mail goes that is to be sent.
    enum Way: Sendable {
        /// Out, into the lanes of hosts.
        case lanes(Dispatcher)
        /// Nowhere: no way leads from here to a host.
        case test(TestMail)
    }

    let journal: JournalWriter
    var way: Way
    var fates: FateRecorder
    let suppressions: JournalWriter.SuppressionCheck
    let clock: DeliveryClock

    /// - Parameter endReason: why none of the batch's mails may start, where its campaign has expired; nil where they get a
    ///   last attempt.
    func open(_ run: BatchRun, endingFor endReason: RequeueReason? = nil) async throws {
        let account = run.batch.id.account
        let isTest = account.isTest
        let suppressed = try await suppressions([account: run.batch.records.indices.map(run.addressee)])[account] ?? []
        var toSend: [DomainName: [Int]] = [:]
        for (position, record) in run.batch.records.enumerated() {
            let isSuppressed =
                suppressed.contains(run.fingerprints[position])
                || isTest && TestRecipient(record.address) == .suppressed
            // No copy is sent when there is no time left to learn what became of it.
            if takeUp(run, position, record, mayMail: !isSuppressed && !run.isExpired(at: clock.seconds)) { continue }
            if isSuppressed {
                fates.end(run, position, .suppressed, RecipientReply(text: "the address is suppressed"))
            } else if let endReason {
                fates.end(run, position, .expired, endReason.endReply)
            } else {
                toSend[record.address.domain, default: []].append(position)
            }
        }
        switch way {
        case .lanes(let dispatcher):
            guard !isTest else { throw TestMailRefused() }
            await enqueue(run, toSend, dispatcher)
        case .test(let mail): await mail.carry(run, toSend.values.flatMap(\.self).sorted())
        }
    }

    /// Applies what the journal and the import know of a recipient; true when nothing is left to do in this run.
    private func takeUp(_ run: BatchRun, _ position: Int, _ record: RecipientRecord, mayMail: Bool) -> Bool {
        if record.isSuppressed {
            run.finish(position, .final(RecipientResult(index: record.index, outcome: .suppressed)))
            return true
        }
        switch run.batch.progress[record.index] {
        case nil: return false
        case .finished(let result):
            if let found = run.found(result.outcome, result.reply, result.finding, at: position) {
                // The earlier run may have died before it could act on what it had journalled.
                journal.record(run, [], found: found)
            }
            run.finish(position, .final(result))
            return true
        case .deferred(let result):
            run.finish(position, .deferred(inSeconds: fates.retrySeconds(run, position, RetryClass(result.reply))))
            return true
        case .intended where run.stopReason != nil:
            // Nothing is sent again now. The doubt stays in the journal, for the settlement or the next run.
            run.finish(position, .untouched)
            return true
        case .intended where run.resendsLeft(position) > 0 && mayMail:
            // The mail may have been delivered just before an earlier run ended.
            fates.resendInDoubt(run, position)
            return false
        case .intended:
            fates.end(
                run, position, .inDoubt, RecipientReply(text: "the node stopped before the answer was recorded"))
            return true
        }
    }

    /// Looks the domains up side by side, a bounded number at once, and queues each domain's mails as its answer comes.
    private func enqueue(_ run: BatchRun, _ toSend: [DomainName: [Int]], _ dispatcher: Dispatcher) async {
        run.beginLookUp(of: toSend.values.reduce(0) { $0 + $1.count })
        await withTaskGroup(of: Void.self) { group in
            var underWay = 0
            for (domain, positions) in toSend {
                if underWay == Self.lookupsAtOnce {
                    await group.next()
                    underWay -= 1
                }
                underWay += 1
                group.addTask {
                    await enqueue(run, positions, to: domain, dispatcher)
                    run.endLookUp(of: positions.count)
                }
            }
        }
    }

    private func enqueue(
        _ run: BatchRun, _ positions: [Int], to domain: DomainName, _ dispatcher: Dispatcher
    ) async {
        // A cancelled campaign does not wait for name servers.
        guard !run.isStopped else { return positions.forEach { run.finish($0, .untouched) } }
        do throws(RoutingFailure) {
            let destinations = try await dispatcher.destinations(of: domain, requiresTLS: run.runtime.requiresTLS)
            let queuedAt = dispatcher.lanes.now()
            let policy = destinations.first?.tlsPolicy
            let mails = positions.map { QueuedMail(run: run, position: $0, queuedAt: queuedAt, tlsPolicy: policy) }
            dispatcher.enqueue(mails, to: destinations)
        } catch {
            let reply = RecipientReply(enhanced: error.enhanced, text: error.reason)
            for position in positions { fates.finish(run, position, error.report, nil, reply) }
        }
    }

    private static let lookupsAtOnce = 32
}

/// A test batch has come to where mail leaves: a bug, or a hand in the tables. It goes back.
struct TestMailRefused: Error, CustomStringConvertible {
    var description: String { "test mail has no way to a host" }
}
