import Foundation
package import MailTypes
import SMTPTransport

extension TLSResults.Domain {
    /// For the database, where the counts of all nodes come together.
    package var encoded: [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            return Array(try encoder.encode(policies.map { StoredPolicy($0.key, $0.value) }))
        } catch {
            preconditionFailure("counts are always JSON: \(error)")
        }
    }

    /// - Parameter bytes: from ``encoded``; what does not decode is an error.
    package init(domain: DomainName, day: TLSResults.Day, decoding bytes: [UInt8]) throws {
        self.init(domain: domain, day: day)
        for stored in try JSONDecoder().decode([StoredPolicy].self, from: Data(bytes)) {
            policies[try stored.source] = stored.counts
        }
    }

    /// Adds another node's counts of the same domain and day, within the bounds.
    package mutating func add(_ other: TLSResults.Domain, limits: TLSResults.Limits = TLSResults.Limits()) {
        for (source, counts) in other.policies {
            guard policies[source] != nil || policies.count < limits.policies else { continue }
            var sum = policies[source] ?? TLSResults.Counts()
            sum.successes += counts.successes
            sum.otherFailures += counts.otherFailures
            for (failure, count) in counts.failures {
                if sum.failures[failure] != nil || sum.failures.count < limits.failures {
                    sum.failures[failure, default: 0] += count
                } else {
                    sum.otherFailures += count
                }
            }
            policies[source] = sum
        }
    }
}

private struct StoredPolicy: Codable {
    struct STS: Codable {
        let mode: String
        let maxAge: Int
        let patterns: [String]
    }

    struct Failure: Codable {
        let type: String
        let sending, host, receiving, reason: String?
        let count: Int
    }

    /// `tlsa`, `sts` or `none`
    let kind: String
    var host: String?
    /// In wire form.
    var records: [Data]?
    var sts: STS?
    let successes: Int
    let otherFailures: Int
    let failures: [Failure]

    init(_ source: TLSPolicySource, _ counts: TLSResults.Counts) {
        switch source {
        case .none: kind = "none"
        case .sts(let policy):
            kind = "sts"
            sts = policy.map { STS(mode: $0.mode.rawValue, maxAge: $0.maxAge, patterns: $0.patterns) }
        case .tlsa(let host, let records):
            kind = "tlsa"
            self.host = host
            self.records = records.map {
                Data([$0.usage.rawValue, $0.selector.rawValue, $0.matching.rawValue] + $0.data)
            }
        }
        successes = counts.successes
        otherFailures = counts.otherFailures
        failures = counts.failures.map { failure, count in
            Failure(
                type: failure.type.rawValue, sending: failure.sendingAddress?.description, host: failure.receivingHost,
                receiving: failure.receivingAddress?.description, reason: failure.reason, count: count)
        }
    }

    struct Unknown: Error {}

    var source: TLSPolicySource {
        get throws {
            switch kind {
            case "none": return .none
            case "sts":
                guard let sts else { return .sts(nil) }
                guard let mode = MTASTSPolicy.Mode(rawValue: sts.mode) else { throw Unknown() }
                return .sts(MTASTSPolicy(mode: mode, maxAge: sts.maxAge, patterns: sts.patterns))
            case "tlsa":
                let records = try (records ?? []).map { data in
                    guard let record = TLSARecord(wire: Array(data)) else { throw Unknown() }
                    return record
                }
                return .tlsa(host: host ?? "", records: Set(records))
            default: throw Unknown()
            }
        }
    }

    var counts: TLSResults.Counts {
        var counts = TLSResults.Counts(successes: successes, otherFailures: otherFailures)
        for failure in failures {
            let key = TLSResults.Failure(
                TLSResultType(rawValue: failure.type) ?? .validationFailure,
                sendingAddress: failure.sending.flatMap { IPAddress($0) }, receivingHost: failure.host,
                receivingAddress: failure.receiving.flatMap { IPAddress($0) }, reason: failure.reason)
            counts.failures[key, default: 0] += failure.count
        }
        return counts
    }
}
