import Delivery
import Feedback
import Foundation
import InboundMail
import MailSigning
import SendingDomains
import Webhooks

/// `/metrics`: a node's counters and gauges.
///
/// The number of series is bounded: labels are outcomes, states, and at most ``mostLanes`` lanes; what the others add up
/// to is in one called `other`. No account and no address is a label.
struct MetricsPage {
    let status: EngineStatus?
    let stoppedAccounts: Int
    /// Nil where domains are not looked after.
    var domains: DomainCensus?
    /// Nil where they cannot be asked for.
    var webhooks: (WebhookCensus, WebhookTally.Counts)?
    /// Campaigns that complaints and bounces brake, by level; nil where they cannot be counted.
    var brakes: [ComplaintBrake.Level: Int]?
    /// What became of mail at each of them in the window of the brake; nil where that cannot be counted.
    var mailboxProviders: [(provider: String, counts: ComplaintBrake.Counts)]?
    /// Nil on a node that takes in no mail.
    var inbound: InboundCounts?

    static let mostLanes = 200
    /// Those of the rules, by number of messages.
    static let mostProviders = 100

    var text: String {
        var text = PrometheusText()
        addProcess(&text)
        if let status {
            addMails(status.counts, &text)
            addJournal(status.counts, &text)
            addSigning(status.signing, &text)
            addWork(status, &text)
            addLanes(status.lanes, &text)
        }
        if let domains { addDomains(domains, &text) }
        if let webhooks { addWebhooks(webhooks.0, webhooks.1, &text) }
        if let brakes { addBrakes(brakes, &text) }
        if let mailboxProviders { add(mailboxProviders, &text) }
        if let inbound { addInbound(inbound, &text) }
        return text.text
    }

    private func addProcess(_ text: inout PrometheusText) {
        text.family("process_cpu_seconds_total", .counter, "CPU time of this process.") {
            $0.add(ProcessUsage.cpuSeconds())
        }
        text.family("process_resident_memory_bytes", .gauge, "Memory of this process.") {
            $0.add(ProcessUsage.memory().resident)
        }
    }

    private func addMails(_ counts: DeliveryCounts, _ text: inout PrometheusText) {
        text.family("sluice_messages_total", .counter, "Recipients that came to their outcome.") {
            $0.add(counts.delivered, ["outcome": "delivered"])
            $0.add(counts.bounced, ["outcome": "bounced"])
            $0.add(counts.expired, ["outcome": "expired"])
            $0.add(counts.suppressed, ["outcome": "suppressed"])
            $0.add(counts.invalid, ["outcome": "invalid"])
            $0.add(counts.cancelled, ["outcome": "cancelled"])
            $0.add(counts.inDoubt, ["outcome": "in_doubt"])
        }
        text.family("sluice_messages_deferred_total", .counter, "Attempts refused for now.") { $0.add(counts.deferred) }
        text.family(
            "sluice_messages_requeued_total", .counter, "Messages given back untried, their lane taking no more."
        ) {
            $0.add(counts.requeued)
        }
        text.family("sluice_messages_in_doubt_resent_total", .counter, "Messages sent again after an answer was lost.")
        {
            $0.add(counts.inDoubtResent)
        }
        text.family("sluice_accounting_lines_total", .counter, "Lines of the accounting log, by what became of them.") {
            $0.add(counts.accountingWritten, ["result": "written"])
            $0.add(counts.accountingDropped, ["result": "dropped"])
        }
        text.family("sluice_accepted_total", .counter, "Mails accepted, by protection of the connection.") {
            $0.add(counts.acceptedPlain, ["tls": "none"])
            $0.add(counts.acceptedEncrypted, ["tls": "encrypted"])
            $0.add(counts.acceptedVerified, ["tls": "verified"])
        }
    }

    private func addJournal(_ counts: DeliveryCounts, _ text: inout PrometheusText) {
        text.family("sluice_journal_commit_seconds", .histogram, "Time of a journal commit.") {
            var sum = 0
            for (bound, count) in zip(Latencies.bounds, counts.journal.buckets) {
                sum += count
                $0.add(sum, ["le": "\(bound)"], suffix: "_bucket")
            }
            $0.add(counts.journal.count, ["le": "+Inf"], suffix: "_bucket")
            $0.add(counts.journal.seconds, suffix: "_sum")
            $0.add(counts.journal.count, suffix: "_count")
        }
        text.family("sluice_journal_entries_total", .counter, "Intents and answers journalled.") {
            $0.add(counts.journalEntries)
        }
        text.family("sluice_journal_failures_total", .counter, "Journal commits that failed and were tried again.") {
            $0.add(counts.journalFailures)
        }
        text.family("sluice_journal_groups_refused_total", .counter, "Journal groups that could never be stored.") {
            $0.add(counts.journalGroupsRefused)
        }
        text.family(
            "sluice_recipients_unreadable_total", .counter,
            "Recipients ended in doubt because what was stored of them could not be read."
        ) {
            $0.add(counts.recipientsUnreadable)
        }
        text.family(
            "sluice_recipients_unsendable_total", .counter,
            "Recipients ended without a message because none could be made for them."
        ) {
            $0.add(counts.recipientsUnsendable)
        }
        text.family("sluice_batches_unopened_total", .counter, "Times that a batch was put off, its key missing.") {
            $0.add(counts.batchesUnopened)
        }
    }

    private func addSigning(_ signing: SigningStatus, _ text: inout PrometheusText) {
        text.family("sluice_batch_signer", .gauge, "1 while RSA signatures are made eight at a time.") {
            $0.add(signing.isBatch ? 1 : 0)
        }
        text.family("sluice_signing_filled_lanes", .histogram, "Lanes filled in a pass, of eight.") {
            var sum = 0
            for (lanes, count) in zip(1..., signing.counts.passes) {
                sum += count
                $0.add(sum, ["le": "\(lanes)"], suffix: "_bucket")
            }
            $0.add(sum, ["le": "+Inf"], suffix: "_bucket")
            $0.add(signing.counts.signaturesInPasses, suffix: "_sum")
            $0.add(sum, suffix: "_count")
        }
        text.family("sluice_signatures_alone_total", .counter, "RSA signatures made one by one.") {
            $0.add(signing.counts.alone)
        }
        text.family(
            "sluice_signature_mismatches_total", .counter,
            "Signatures that did not fit their message, and did not leave."
        ) {
            $0.add(signing.counts.mismatches)
        }
    }

    private func addWork(_ status: EngineStatus, _ text: inout PrometheusText) {
        let counts = status.counts
        text.family("sluice_batches_total", .counter, "Batches by what was done with them.") {
            $0.add(counts.batchesClaimed, ["event": "claimed"])
            $0.add(counts.batchesSettled, ["event": "settled"])
            $0.add(counts.batchesParked, ["event": "parked"])
            $0.add(counts.batchesAbandoned, ["event": "abandoned"])
            $0.add(counts.batchesFailed, ["event": "failed"])
        }
        text.family("sluice_blocks_total", .counter, "Attempts that receivers refused for their sender.") {
            $0.add(counts.blocks)
        }
        text.family(
            "sluice_campaigns_blocked_total", .counter, "Campaigns paused because receivers refuse their sender."
        ) {
            $0.add(counts.campaignsBlocked)
        }
        text.family("sluice_batches_active", .gauge, "Batches in work.") { $0.add(status.activeBatches) }
        text.family("sluice_messages_waiting", .gauge, "Messages of these batches that have not started.") {
            $0.add(status.waitingMessages)
        }
        text.family("sluice_connections", .gauge, "Connections in use.") { $0.add(status.connections) }
        text.family("sluice_connections_limit", .gauge, "The most connections of this node.") {
            $0.add(status.connectionLimit)
        }
        text.family("sluice_accounts", .gauge, "Accounts with mail on this node, and those that an order stops.") {
            $0.add(status.accounts.count { !$0.isStopped }, ["state": "active"])
            $0.add(stoppedAccounts, ["state": "stopped"])
        }
        text.family("sluice_draining", .gauge, "1 while the node ends.") { $0.add(status.isDraining ? 1 : 0) }
        text.family("sluice_uptime_seconds", .gauge, "Since the start of delivery.") { $0.add(status.uptimeSeconds) }
    }

    private func addBrakes(_ brakes: [ComplaintBrake.Level: Int], _ text: inout PrometheusText) {
        text.family("sluice_campaigns_braked", .gauge, "Campaigns that complaints and bounces brake, by level.") {
            for level in ComplaintBrake.Level.allCases where level > .none {
                $0.add(brakes[level] ?? 0, ["level": level.name])
            }
        }
    }

    private func add(
        _ providers: [(provider: String, counts: ComplaintBrake.Counts)], _ text: inout PrometheusText
    ) {
        text.family(
            "sluice_mailbox_provider_messages", .gauge,
            "Messages of all accounts in the window of the brake, by mailbox provider and what became of them."
        ) {
            for (provider, counts) in providers.prefix(Self.mostProviders) {
                $0.add(Int(counts.delivered), ["provider": provider, "result": "delivered"])
                $0.add(Int(counts.hardBounces), ["provider": provider, "result": "hard_bounce"])
                $0.add(Int(counts.complaints), ["provider": provider, "result": "complaint"])
            }
        }
    }

    private func addDomains(_ domains: DomainCensus, _ text: inout PrometheusText) {
        text.family("sluice_domains", .gauge, "Sending domains of all accounts by state.") {
            $0.add(domains.pending, ["state": "pending"])
            $0.add(domains.verified, ["state": "verified"])
            $0.add(domains.failing, ["state": "failing"])
            $0.add(domains.stopped, ["state": "stopped"])
        }
        text.family(
            "sluice_domain_checks_late_seconds", .gauge, "How long the next check of a sending domain is overdue."
        ) {
            $0.add(domains.lateSeconds)
        }
        if let age = domains.lastLookSeconds {
            text.family("sluice_domain_last_check_seconds", .gauge, "Since a sending domain was checked last.") {
                $0.add(age)
            }
        }
    }

    private func addWebhooks(
        _ census: WebhookCensus, _ counts: WebhookTally.Counts, _ text: inout PrometheusText
    ) {
        text.family("sluice_webhooks", .gauge, "Webhooks of all accounts by state.") {
            $0.add(census.active - census.failing, ["state": "active"])
            $0.add(census.failing, ["state": "failing"])
            $0.add(census.disabled, ["state": "disabled"])
        }
        text.family("sluice_webhook_pending", .gauge, "Packs of events that wait for a webhook.") {
            $0.add(census.pending)
        }
        text.family("sluice_webhook_late_seconds", .gauge, "Age of the oldest pack that waits.") {
            $0.add(census.lateSeconds)
        }
        text.family("sluice_webhook_events_total", .counter, "Events told by this node, and given up.") {
            $0.add(counts.eventsDelivered, ["result": "delivered"])
            $0.add(counts.eventsDropped, ["result": "dropped"])
        }
        text.family("sluice_webhook_attempts_total", .counter, "Messages posted to webhooks, by what came of them.") {
            $0.add(counts.postsTaken, ["result": "taken"])
            $0.add(counts.postsFailed, ["result": "failed"])
        }
        text.family("sluice_webhooks_disabled_total", .counter, "Webhooks that this node has disabled.") {
            $0.add(counts.endpointsDisabled)
        }
    }

    private func addInbound(_ counts: InboundCounts, _ text: inout PrometheusText) {
        text.family("sluice_inbound_connections_total", .counter, "Connections to the return paths' mail server.") {
            $0.add(counts.connections - counts.refusedConnections, ["result": "taken"])
            $0.add(counts.refusedConnections, ["result": "refused"])
        }
        text.family("sluice_inbound_mails_total", .counter, "Mails taken in, by what they are.") {
            for kind in FeedbackKind.allCases.map(\.rawValue) + ["unsubscribe"] {
                $0.add(counts.kinds[kind] ?? 0, ["kind": kind])
            }
        }
        text.family("sluice_inbound_mails_put_off_total", .counter, "Mails that are to come again.") {
            $0.add(counts.failures, ["reason": "database"])
            $0.add(counts.refusedMails, ["reason": "rate"])
            $0.add(counts.noRoom, ["reason": "memory"])
        }
        text.family("sluice_inbound_mails_malformed_total", .counter, "Contents refused for their form or size.") {
            $0.add(counts.malformed)
        }
        text.family("sluice_inbound_unknown_recipients_total", .counter, "Recipients refused, by what was wrong.") {
            for miss in ["mailbox", "domain", "token", "expired"] {
                $0.add(counts.misses[miss] ?? 0, ["reason": miss])
            }
        }
        text.family("sluice_inbound_facts_total", .counter, "Facts told by mails, old ones too.") {
            for (fact, name) in [
                (FeedbackFact.hardBounce, "hard_bounce"), (.softBounce, "soft_bounce"), (.complaint, "complaint"),
                (.unsubscribe, "unsubscribe"), (.delay, "delay"),
            ] {
                $0.add(counts.facts[fact] ?? 0, ["fact": name])
            }
        }
        text.family("sluice_inbound_facts_new_total", .counter, "Facts that were not known.") {
            $0.add(counts.newFacts)
        }
        text.family("sluice_inbound_complaints_unattributed_total", .counter, "Complaints without a valid token.") {
            $0.add(counts.unattributed)
        }
    }

    // MARK: Lanes

    private func addLanes(_ lanes: [LaneReport], _ text: inout PrometheusText) {
        text.family("sluice_lanes", .gauge, "Lanes by state.") {
            for state in ["open", "slowed", "backing_off", "probing", "suspended", "draining", "failing"] {
                $0.add(lanes.count { $0.state == state }, ["state": state])
            }
        }
        let shown = Self.bounded(lanes)
        func add(
            _ name: String, _ kind: PrometheusText.Kind, _ help: String, _ value: (LaneReport) -> Double
        ) {
            text.family(name, kind, help) {
                for lane in shown {
                    $0.add(value(lane), ["site": lane.site, "provider": lane.provider, "source": lane.source])
                }
            }
        }
        text.family("sluice_lane_answers_total", .counter, "Answers of a site by kind.") {
            for lane in shown {
                for (kind, count) in [
                    ("accepted", lane.accepted), ("deferred", lane.deferred), ("bounced", lane.bounced),
                    ("broken", lane.broken),
                ] {
                    $0.add(
                        count,
                        ["site": lane.site, "provider": lane.provider, "source": lane.source, "answer": kind])
                }
            }
        }
        add("sluice_lane_queued", .gauge, "Mails waiting for the lane.") { Double($0.queued) }
        add("sluice_lane_connections", .gauge, "Connections of the lane.") { Double($0.connections) }
        add("sluice_lane_stopped", .gauge, "1 while the lane sends nothing, or nothing new.") {
            ["backing_off", "suspended", "draining", "failing"].contains($0.state) ? 1 : 0
        }
        add("sluice_lane_login_failing", .gauge, "1 while a smarthost refuses the login, or wants one.") {
            $0.isLoginFailing ? 1 : 0
        }
    }

    /// The lanes with most traffic, and the sum of the rest.
    static func bounded(_ lanes: [LaneReport], most: Int = mostLanes) -> [LaneReport] {
        guard lanes.count > most else { return lanes }
        let sorted = lanes.sorted { ($0.answered, $1.name) > ($1.answered, $0.name) }
        let rest = sorted.dropFirst(most)
        func sum(_ value: (LaneReport) -> Int) -> Int { rest.reduce(0) { $0 + value($1) } }
        return sorted.prefix(most) + [
            LaneReport(
                name: "other", site: "other", provider: "other", source: "other",
                queued: sum(\.queued), connections: sum(\.connections), accepted: sum(\.accepted),
                deferred: sum(\.deferred), bounced: sum(\.bounced), broken: sum(\.broken))
        ]
    }
}
