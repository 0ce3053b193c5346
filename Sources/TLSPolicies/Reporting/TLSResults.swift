package import Foundation
package import MailTypes
import SMTPProtocol
package import SMTPTransport
import Synchronization

/// Counts how sessions went, by the recipients' domain and UTC day, for the reports of RFC 8460. Bounded: what exceeds
/// a bound is counted as left out, and nothing else suffers.
package final class TLSResults: Sendable {
    package struct Limits: Sendable {
        /// Domains of one day.
        package var domains = 50_000
        /// Different policies of one domain and day.
        package var policies = 16
        /// Different kinds of failure of one policy and day.
        package var failures = 64
        /// Days that are kept until somebody takes them.
        package var days = 3

        package init() {}
    }

    /// What tells failures apart (RFC 8460 §4.4).
    package struct Failure: Sendable, Hashable {
        package let type: TLSResultType
        package var sendingAddress: IPAddress?
        package var receivingHost: String?
        package var receivingAddress: IPAddress?
        /// For people; names nobody.
        package var reason: String?

        package init(
            _ type: TLSResultType, sendingAddress: IPAddress? = nil, receivingHost: String? = nil,
            receivingAddress: IPAddress? = nil, reason: String? = nil
        ) {
            self.type = type
            self.sendingAddress = sendingAddress
            self.receivingHost = receivingHost
            self.receivingAddress = receivingAddress
            self.reason = reason
        }
    }

    package struct Counts: Sendable, Hashable {
        package var successes = 0
        package var failures: [Failure: Int] = [:]
        /// Failures whose kind exceeded the bound.
        package var otherFailures = 0

        package init(successes: Int = 0, failures: [Failure: Int] = [:], otherFailures: Int = 0) {
            self.successes = successes
            self.failures = failures
            self.otherFailures = otherFailures
        }

        package var failureCount: Int { failures.values.reduce(otherFailures, +) }
    }

    /// A domain's counts of one day.
    package struct Domain: Sendable, Hashable {
        package let domain: DomainName
        package let day: Day
        package var policies: [TLSPolicySource: Counts] = [:]

        package init(domain: DomainName, day: Day) {
            self.domain = domain
            self.day = day
        }
    }

    /// A day in UTC.
    package struct Day: Sendable, Hashable, Comparable {
        /// Since 1 January 1970.
        package let number: Int

        package init(number: Int) { self.number = number }
        package init(_ date: Date) { number = Int((date.timeIntervalSince1970 / 86_400).rounded(.down)) }

        package var start: Date { Date(timeIntervalSince1970: Double(number) * 86_400) }
        /// Its last second.
        package var end: Date { start.addingTimeInterval(86_399) }

        package static func < (left: Day, right: Day) -> Bool { left.number < right.number }
    }

    private struct State {
        var days: [Day: [DomainName: Domain]] = [:]
        var leftOut = 0
    }

    private let limits: Limits
    private let state = Mutex(State())

    package init(limits: Limits = Limits()) {
        self.limits = limits
    }

    /// Sessions that no report will mention because a bound was reached.
    package var leftOut: Int { state.withLock { $0.leftOut } }

    /// Counts one connection for a domain whose mail it carries, or was to carry.
    ///
    /// - Parameter outcome: from `SMTPClientConfiguration.onTLSOutcome`.
    package func count(_ outcome: SMTPTLSOutcome, under policy: DomainTLSPolicy, at date: Date = Date()) {
        guard let host = policy[outcome.target.host] else { return }
        let failure = (outcome.failureType ?? host.fault).map { type in
            Failure(
                type, sendingAddress: outcome.localAddress, receivingHost: outcome.target.host,
                receivingAddress: outcome.target.address, reason: outcome.fault?.rawValue)
        }
        count(failure, of: policy.domain, host.source, at: date)
    }

    /// - Parameter failure: nil for a success.
    package func count(
        _ failure: Failure?, of domain: DomainName, _ source: TLSPolicySource, at date: Date = Date()
    ) {
        let day = Day(date)
        state.withLock { state in
            if state.days[day] == nil {
                state.days[day] = [:]
                while state.days.count > limits.days, let oldest = state.days.keys.min() { state.days[oldest] = nil }
            }
            // Looked at in place: a copy would make the next change copy the whole day.
            let hasRoom =
                if let entry = state.days[day]?[domain] {
                    entry.policies[source] != nil || entry.policies.count < limits.policies
                } else {
                    state.days[day]?.count ?? 0 < limits.domains
                }
            guard hasRoom
            else {
                state.leftOut += 1
                return
            }
            state.days[day]?[domain, default: Domain(domain: domain, day: day)]
                .policies[source, default: Counts()].add(failure, limit: limits.failures)
        }
    }

    /// Gives out everything and forgets it, today's counts as well.
    package func takeAll() -> [Domain] { takeDays(before: Day(number: .max)) }

    /// Takes back what could not be kept elsewhere.
    package func putBack(_ domains: [Domain]) {
        state.withLock { state in
            for domain in domains {
                guard state.days[domain.day]?.count ?? 0 < limits.domains else {
                    state.leftOut += 1
                    continue
                }
                state.days[domain.day, default: [:]][
                    domain.domain, default: Domain(domain: domain.domain, day: domain.day)
                ].add(domain, limits: limits)
            }
        }
    }

    /// Gives out the days before `day`, and forgets them: each report is made once.
    package func takeDays(before day: Day) -> [Domain] {
        state.withLock { state in
            let past = state.days.keys.filter { $0 < day }.sorted()
            return past.flatMap { day in
                let domains = state.days.removeValue(forKey: day) ?? [:]
                return domains.values.sorted { $0.domain < $1.domain }
            }
        }
    }
}

extension TLSResults.Counts {
    fileprivate mutating func add(_ failure: TLSResults.Failure?, limit: Int) {
        guard let failure else {
            successes += 1
            return
        }
        if failures[failure] != nil || failures.count < limit {
            failures[failure, default: 0] += 1
        } else {
            otherFailures += 1
        }
    }
}
