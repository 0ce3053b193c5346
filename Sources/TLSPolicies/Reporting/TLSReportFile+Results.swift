import MailMessage
import MailTypes
import SMTPTransport

extension TLSReportFile {
    /// What was counted of a domain's day.
    init(_ report: TLSReport) {
        let results = report.results
        self.init(
            organization: report.submitter.organization,
            range: DateRange(
                start: TLSReport.format(results.day.start, "yyyy-MM-dd'T'HH:mm:ss'Z'"),
                end: TLSReport.format(results.day.end, "yyyy-MM-dd'T'HH:mm:ss'Z'")),
            contact: report.submitter.contact, id: report.id,
            policies: results.policies
                .map { Entry($0.key, $0.value, domain: results.domain) }
                .sorted { $0.policy.order < $1.policy.order })
    }
}

extension TLSReportFile.Policy {
    fileprivate var order: String { "\(type) \(hosts ?? []) \(lines ?? [])" }

    fileprivate init(_ source: TLSPolicySource, domain: DomainName) {
        switch source {
        case .tlsa(let host, let records):
            self.init(
                type: "tlsa", lines: records.isEmpty ? nil : records.map(\.description).sorted(), domain: domain.text,
                hosts: [host])
        case .sts(let policy):
            self.init(type: "sts", lines: policy?.lines, domain: domain.text, hosts: policy?.patterns)
        case .none:
            self.init(type: "no-policy-found", lines: nil, domain: domain.text, hosts: nil)
        }
    }
}

extension TLSReportFile.Entry {
    fileprivate init(_ source: TLSPolicySource, _ counts: TLSResults.Counts, domain: DomainName) {
        var failures = counts.failures.map { TLSReportFile.Failure($0.key, count: Int64($0.value)) }
            .sorted { ($0.count, $1.order) > ($1.count, $0.order) }
        if counts.otherFailures > 0 {
            failures.append(
                TLSReportFile.Failure(
                    type: TLSResultType.validationFailure.rawValue, sendingAddress: nil, receivingHost: nil,
                    receivingAddress: nil, count: Int64(counts.otherFailures),
                    reason: "further kinds of failure, not told apart"))
        }
        self.init(
            policy: TLSReportFile.Policy(source, domain: domain),
            summary: TLSReportFile.Summary(
                successes: Int64(counts.successes), failures: Int64(counts.failureCount)),
            failures: failures)
    }
}

extension TLSReportFile.Failure {
    fileprivate var order: String { "\(type) \(receivingHost ?? "") \(receivingAddress ?? "") \(sendingAddress ?? "")" }

    fileprivate init(_ failure: TLSResults.Failure, count: Int64) {
        self.init(
            type: failure.type.rawValue, sendingAddress: failure.sendingAddress?.description,
            receivingHost: failure.receivingHost, receivingAddress: failure.receivingAddress?.description, count: count,
            reason: failure.reason)
    }
}
