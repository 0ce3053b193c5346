/// A report on TLS as JSON (RFC 8460 §4.4), for those that are written here and those that others send.
///
/// What no reader here needs may be missing or of another form: many write it their own way.
package struct TLSReportFile: Codable, Sendable {
    package struct DateRange: Codable, Sendable {
        package let start: String
        package let end: String

        enum CodingKeys: String, CodingKey {
            case start = "start-datetime"
            case end = "end-datetime"
        }

        package init(start: String, end: String) {
            self.start = start
            self.end = end
        }
    }

    package struct Entry: Codable, Sendable {
        package let policy: Policy
        package let summary: Summary
        package let failures: [Failure]?

        enum CodingKeys: String, CodingKey {
            case policy, summary
            case failures = "failure-details"
        }

        package init(policy: Policy, summary: Summary, failures: [Failure]) {
            self.policy = policy
            self.summary = summary
            self.failures = failures
        }
    }

    package struct Policy: Codable, Sendable {
        package let type: String
        package let lines: [String]?
        package let domain: String
        package let hosts: [String]?

        enum CodingKeys: String, CodingKey {
            case type = "policy-type"
            case lines = "policy-string"
            case domain = "policy-domain"
            case hosts = "mx-host"
        }

        package init(type: String, lines: [String]?, domain: String, hosts: [String]?) {
            self.type = type
            self.lines = lines
            self.domain = domain
            self.hosts = hosts
        }

        package init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            type = try container.decode(String.self, forKey: .type)
            domain = try container.decode(String.self, forKey: .domain)
            lines = try? container.decode([String].self, forKey: .lines)
            hosts = try? container.decode([String].self, forKey: .hosts)
        }
    }

    package struct Summary: Codable, Sendable {
        /// Sessions
        package let successes: Int64
        /// Sessions
        package let failures: Int64

        enum CodingKeys: String, CodingKey {
            case successes = "total-successful-session-count"
            case failures = "total-failure-session-count"
        }

        package init(successes: Int64, failures: Int64) {
            self.successes = successes
            self.failures = failures
        }
    }

    package struct Failure: Codable, Sendable {
        package let type: String
        package let sendingAddress: String?
        package let receivingHost: String?
        package let receivingAddress: String?
        /// Sessions
        package let count: Int64
        package let reason: String?

        enum CodingKeys: String, CodingKey {
            case type = "result-type"
            case sendingAddress = "sending-mta-ip"
            case receivingHost = "receiving-mx-hostname"
            case receivingAddress = "receiving-ip"
            case count = "failed-session-count"
            case reason = "failure-reason-code"
        }

        package init(
            type: String, sendingAddress: String?, receivingHost: String?, receivingAddress: String?, count: Int64,
            reason: String?
        ) {
            self.type = type
            self.sendingAddress = sendingAddress
            self.receivingHost = receivingHost
            self.receivingAddress = receivingAddress
            self.count = count
            self.reason = reason
        }

        package init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            type = try container.decode(String.self, forKey: .type)
            count = try container.decode(Int64.self, forKey: .count)
            sendingAddress = try? container.decode(String.self, forKey: .sendingAddress)
            receivingHost = try? container.decode(String.self, forKey: .receivingHost)
            receivingAddress = try? container.decode(String.self, forKey: .receivingAddress)
            reason = try? container.decode(String.self, forKey: .reason)
        }
    }

    package let organization: String
    package let range: DateRange
    package let contact: String?
    package let id: String
    package let policies: [Entry]

    enum CodingKeys: String, CodingKey {
        case organization = "organization-name"
        case range = "date-range"
        case contact = "contact-info"
        case id = "report-id"
        case policies
    }

    package init(organization: String, range: DateRange, contact: String, id: String, policies: [Entry]) {
        self.organization = organization
        self.range = range
        self.contact = contact
        self.id = id
        self.policies = policies
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        organization = try container.decode(String.self, forKey: .organization)
        range = try container.decode(DateRange.self, forKey: .range)
        contact = try? container.decode(String.self, forKey: .contact)
        id = try container.decode(String.self, forKey: .id)
        policies = try container.decode([Entry].self, forKey: .policies)
    }
}
