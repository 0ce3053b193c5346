package import MailTypes
package import SMTPTransport

/// What protects mail to one domain: a policy for each of its mail hosts.
///
/// Hosts are shared by domains and MTA-STS policies are not: whoever keeps connections by hosts must keep those of one
/// ``laneKey`` apart from those of another.
package struct DomainTLSPolicy: Sendable, Hashable {
    package struct Host: Sendable, Hashable {
        package let name: String
        /// What a connection to the host must fulfil: goes into `SMTPTarget.tls`.
        package let policy: SMTPTLSPolicy
        /// Where that comes from, for reports.
        package let source: TLSPolicySource
        /// What is wrong with the published policy even if the session goes well, such as a policy file that could not
        /// be fetched.
        package let fault: TLSResultType?
    }

    package let domain: DomainName
    /// In the order of the mail hosts.
    package let hosts: [Host]

    /// - Parameter name: as in `MailHost.name`.
    package subscript(name: String) -> Host? { hosts.first { $0.name == name } }

    /// Equal for domains whose mail may travel over the same connections to the same hosts; empty where nothing is
    /// demanded. The key of a lane is its site and this.
    package var laneKey: String {
        hosts.filter { $0.policy != .opportunistic }
            .map { "\($0.name)=\($0.policy.key)" }
            .sorted().joined(separator: " ")
    }
}

/// The published policy that a host fell under (RFC 8460 §4.4).
package enum TLSPolicySource: Sendable, Hashable {
    case tlsa(host: String, records: Set<TLSARecord>)
    /// - Parameter policy: nil if it is announced and could not be had.
    case sts(MTASTSPolicy?)
    case none
}

extension SMTPTLSPolicy {
    fileprivate var key: String {
        switch self {
        case .never: "never"
        case .opportunistic: "opportunistic"
        case .testing: "testing"
        case .required(let verify): verify ? "verified" : "encrypted"
        case .dane(let policy):
            "dane(\(policy.baseName) \(policy.names.sorted()) \(policy.records.map(\.description).sorted()))"
        case .refused(let cause): "refused(\(cause))"
        }
    }
}
