import Synchronization
import TrafficShaping

/// The rules of providers by which those who report are named, as they were read last.
final class MailboxProviders: Sendable {
    private let rules: Mutex<ProviderRules>

    init(_ rules: ProviderRules) { self.rules = Mutex(rules) }

    func replace(by new: ProviderRules) { rules.withLock { $0 = new } }

    /// - Parameter host: of a server or a mail domain.
    /// - Returns: nil where the rules know none.
    func name(of host: String) -> String? { rules.withLock { $0.provider(ofHost: host)?.name } }
}
