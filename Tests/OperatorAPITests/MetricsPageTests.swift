import Feedback
import InboundMail
import MailSigning
import SendingDomains
import TestSupport
import Testing
import Webhooks

@testable import Delivery
@testable import OperatorAPI

struct MetricsPageTests {
    private static func status(_ lanes: [LaneReport]) -> EngineStatus {
        var counts = DeliveryCounts()
        counts.delivered = 12
        for seconds in [0.0005, 0.004, 30] { counts.journal.count(seconds) }
        var signing = SigningCounts()
        signing.passes[7] = 3
        signing.passes[4] = 1
        signing.alone = 2
        return EngineStatus(
            node: "n1", uptimeSeconds: 300, isDraining: false, counts: counts,
            signing: SigningStatus(isBatch: true, detail: "x", fewestLanes: 3, counts: signing), activeBatches: 2,
            waitingMessages: 1_500, connections: 4, connectionLimit: 4_096, lanes: lanes, accounts: [], orders: [],
            blocks: [])
    }

    @Test func `every line is of the format, whatever a lane is called`() throws {
        let lanes = [
            LaneReport(name: "x a\"b\\c\nd", site: "a\"b\\c\nd", provider: "x", queued: 7, accepted: 5),
            LaneReport(name: "gmail gmail.com", site: "gmail.com", provider: "gmail", state: "suspended", deferred: 2),
        ]
        let text = MetricsPage(status: Self.status(lanes), stoppedAccounts: 3).text
        let samples = try PrometheusLines.read(text)
        func value(_ name: String, _ labels: [String: String]) -> Double? {
            samples.first { sample in
                sample.name == name && labels.allSatisfy { sample.labels[$0.key] == $0.value }
            }?.value
        }
        #expect(value("sluice_lane_queued", ["site": #"a\"b\\c\nd"#, "provider": "x", "source": "default"]) == 7)
        #expect(value("sluice_lane_answers_total", ["site": "gmail.com", "answer": "deferred"]) == 2)
        #expect(value("sluice_lane_stopped", ["site": "gmail.com"]) == 1)
        #expect(value("sluice_accounts", ["state": "stopped"]) == 3)
        #expect(value("sluice_messages_total", ["outcome": "delivered"]) == 12)
    }

    @Test func `filled lanes are a histogram`() throws {
        let samples = try PrometheusLines.read(MetricsPage(status: Self.status([]), stoppedAccounts: 0).text)
        func value(_ name: String, _ bound: String? = nil) -> Double? {
            samples.first { $0.name == name && $0.labels["le"] == bound }?.value
        }
        #expect(value("sluice_batch_signer") == 1)
        #expect(
            ["1", "4", "5", "7", "8", "+Inf"].map { value("sluice_signing_filled_lanes_bucket", $0) }
                == [0, 0, 1, 1, 4, 4])
        #expect(value("sluice_signing_filled_lanes_sum") == 29 && value("sluice_signing_filled_lanes_count") == 4)
        #expect(value("sluice_signatures_alone_total") == 2 && value("sluice_signature_mismatches_total") == 0)
    }

    @Test func `buckets of the journal add up`() throws {
        let samples = try PrometheusLines.read(MetricsPage(status: Self.status([]), stoppedAccounts: 0).text)
        let buckets = samples.filter { $0.name == "sluice_journal_commit_seconds_bucket" }.map(\.value)
        #expect(buckets == buckets.sorted() && buckets.last == 3)
        #expect(samples.first { $0.name == "sluice_journal_commit_seconds_count" }?.value == 3)
        #expect(buckets.first == 1)
    }

    @Test func `a node that does not deliver tells of itself alone`() throws {
        let names = try PrometheusLines.read(MetricsPage(status: nil, stoppedAccounts: 0).text).map(\.name)
        #expect(names == ["process_cpu_seconds_total", "process_resident_memory_bytes"])
    }

    @Test func `mailbox providers show what became of their mail, and their number is bounded`() throws {
        let many = (0..<150).map { (provider: "p\($0)", counts: ComplaintBrake.Counts(delivered: 1)) }
        let yahoo = (
            provider: "yahoo", counts: ComplaintBrake.Counts(delivered: 900, hardBounces: 4, complaints: 3)
        )
        let page = MetricsPage(
            status: nil, stoppedAccounts: 0,
            mailboxProviders: [yahoo] + many)
        let samples = try PrometheusLines.read(page.text).filter { $0.name == "sluice_mailbox_provider_messages" }
        #expect(samples.filter { $0.labels["provider"] == "yahoo" }.map(\.value) == [900, 4, 3])
        #expect(samples.count == 300)
    }

    @Test func `webhooks are counted by state, and what was told of them by result`() throws {
        var census = WebhookCensus()
        (census.active, census.failing, census.disabled, census.pending, census.lateSeconds) = (5, 2, 1, 40, 90)
        var counts = WebhookTally.Counts()
        (counts.eventsDelivered, counts.eventsDropped, counts.postsTaken, counts.postsFailed) = (100, 3, 9, 4)
        let page = MetricsPage(status: nil, stoppedAccounts: 0, webhooks: (census, counts))
        let samples = try PrometheusLines.read(page.text)
        func values(_ name: String) -> [Double] { samples.filter { $0.name == name }.map(\.value) }
        #expect(values("sluice_webhooks") == [3, 2, 1])
        #expect(values("sluice_webhook_pending") == [40] && values("sluice_webhook_late_seconds") == [90])
        #expect(values("sluice_webhook_events_total") == [100, 3])
        #expect(values("sluice_webhook_attempts_total") == [9, 4])
    }

    @Test func `domains are counted by state, and it is told how late their checks are`() throws {
        var domains = DomainCensus()
        (domains.pending, domains.verified, domains.failing, domains.stopped) = (1, 20, 3, 4)
        (domains.lateSeconds, domains.lastLookSeconds) = (90, 12)
        let text = MetricsPage(status: nil, stoppedAccounts: 0, domains: domains).text
        let samples = try PrometheusLines.read(text)
        let states = samples.filter { $0.name == "sluice_domains" }
        #expect(states.map(\.value) == [1, 20, 3, 4])
        #expect(states.compactMap { $0.labels["state"] } == ["pending", "verified", "failing", "stopped"])
        func value(_ name: String) -> Double? { samples.first { $0.name == name }?.value }
        #expect(value("sluice_domain_checks_late_seconds") == 90 && value("sluice_domain_last_check_seconds") == 12)
    }

    @Test func `mail that comes back is counted, and nobody is named`() throws {
        var inbound = InboundCounts()
        (inbound.connections, inbound.refusedConnections, inbound.failures) = (7, 2, 1)
        inbound.kinds = ["bounce": 3, "unsubscribe": 4]
        inbound.misses = ["expired": 5]
        (inbound.facts, inbound.newFacts) = ([.hardBounce: 3, .unsubscribe: 4], 6)
        let text = MetricsPage(status: nil, stoppedAccounts: 0, inbound: inbound).text
        let samples = try PrometheusLines.read(text)
        func value(_ name: String, _ labels: [String: String] = [:]) -> Double? {
            samples.first { $0.name == "sluice_inbound_" + name && $0.labels == labels }?.value
        }
        #expect(value("connections_total", ["result": "taken"]) == 5)
        #expect(value("mails_total", ["kind": "bounce"]) == 3 && value("mails_total", ["kind": "unsubscribe"]) == 4)
        #expect(value("mails_put_off_total", ["reason": "database"]) == 1)
        #expect(value("unknown_recipients_total", ["reason": "expired"]) == 5)
        #expect(value("facts_total", ["fact": "hard_bounce"]) == 3 && value("facts_new_total") == 6)
    }

    @Test func `lanes beyond the busiest are summed in one`() throws {
        let lanes = (0..<1_000).map {
            LaneReport(name: "default mx\($0)", site: "mx\($0)", provider: "default", queued: 1, accepted: $0)
        }
        let samples = try PrometheusLines.read(MetricsPage(status: Self.status(lanes), stoppedAccounts: 0).text)
        let queued = samples.filter { $0.name == "sluice_lane_queued" }
        #expect(queued.count == MetricsPage.mostLanes + 1)
        #expect(queued.reduce(0) { $0 + $1.value } == 1_000)
        let accepted = samples.filter {
            $0.name == "sluice_lane_answers_total" && $0.labels["answer"] == "accepted"
        }
        #expect(accepted.reduce(0) { $0 + $1.value } == Double((0..<1_000).reduce(0, +)))
        #expect(accepted.first?.labels["site"] == "mx999")
        #expect(accepted.last?.labels["site"] == "other")
    }
}
