import MailTypes
import SMTPTransport

/// The fields of RFC 8460 §4.4, under their names there.
struct TLSReportPayload: Encodable {
    struct DateRange: Encodable {
        let start: String
        let end: String

        enum CodingKeys: String, CodingKey {
            case start = "start-datetime"
            case end = "end-datetime"
        }
    }

    struct Entry: Encodable {
        let policy: Policy
        let summary: Summary
        let failures: [Failure]

        enum CodingKeys: String, CodingKey {
            case policy, summary
            case failures = "failure-details"
        }
    }

    struct Policy: Encodable {
        let type: String
        let lines: [String]?
        let domain: String
        let hosts: [String]?

        enum CodingKeys: String, CodingKey {
            case type = "policy-type"
            case lines = "policy-string"
            case domain = "policy-domain"
            case hosts = "mx-host"
        }
    }

    struct Summary: Encodable {
        let successes: Int
        let failures: Int

        enum CodingKeys: String, CodingKey {
            case successes = "total-successful-session-count"
            case failures = "total-failure-session-count"
        }
    }

    struct Failure: Encodable {
        let type: String
        let sendingAddress: String?
        let receivingHost: String?
        let receivingAddress: String?
        let count: Int
        let reason: String?

        enum CodingKeys: String, CodingKey {
            case type = "result-type"
            case sendingAddress = "sending-mta-ip"
            case receivingHost = "receiving-mx-hostname"
            case receivingAddress = "receiving-ip"
            case count = "failed-session-count"
            case reason = "failure-reason-code"
        }
    }

    let organization: String
    let range: DateRange
    let contact: String
    let id: String
    let policies: [Entry]

    enum CodingKeys: String, CodingKey {
        case organization = "organization-name"
        case range = "date-range"
        case contact = "contact-info"
        case id = "report-id"
        case policies
    }

    init(_ report: TLSReport) {
        let results = report.results
        organization = report.submitter.organization
        range = DateRange(
            start: TLSReport.format(results.day.start, "yyyy-MM-dd'T'HH:mm:ss'Z'"),
            end: TLSReport.format(results.day.end, "yyyy-MM-dd'T'HH:mm:ss'Z'"))
        contact = report.submitter.contact
        id = report.id
        policies = results.policies
            .map { Entry($0.key, $0.value, domain: results.domain) }
            .sorted { $0.policy.order < $1.policy.order }
    }
}

extension TLSReportPayload.Policy {
    fileprivate var order: String { "\(type) \(hosts ?? []) \(lines ?? [])" }

    fileprivate init(_ source: TLSPolicySource, domain: DomainName) {
        self.domain = domain.text
        switch source {
        case .tlsa(let host, let records):
            type = "tlsa"
            lines = records.isEmpty ? nil : records.map(\.description).sorted()
            hosts = [host]
        case .sts(let policy):
            type = "sts"
            lines = policy?.lines
            hosts = policy?.patterns
        case .none:
            type = "no-policy-found"
            lines = nil
            hosts = nil
        }
    }
}

extension TLSReportPayload.Entry {
    fileprivate init(_ source: TLSPolicySource, _ counts: TLSResults.Counts, domain: DomainName) {
        policy = TLSReportPayload.Policy(source, domain: domain)
        summary = TLSReportPayload.Summary(successes: counts.successes, failures: counts.failureCount)
        var failures = counts.failures.map { TLSReportPayload.Failure($0.key, count: $0.value) }
            .sorted { ($0.count, $1.order) > ($1.count, $0.order) }
        if counts.otherFailures > 0 {
            failures.append(
                TLSReportPayload.Failure(
                    type: TLSResultType.validationFailure.rawValue, sendingAddress: nil, receivingHost: nil,
                    receivingAddress: nil, count: counts.otherFailures,
                    reason: "further kinds of failure, not told apart"))
        }
        self.failures = failures
    }
}

extension TLSReportPayload.Failure {
    fileprivate var order: String { "\(type) \(receivingHost ?? "") \(receivingAddress ?? "") \(sendingAddress ?? "")" }

    fileprivate init(_ failure: TLSResults.Failure, count: Int) {
        self.init(
            type: failure.type.rawValue, sendingAddress: failure.sendingAddress?.description,
            receivingHost: failure.receivingHost, receivingAddress: failure.receivingAddress?.description, count: count,
            reason: failure.reason)
    }
}
