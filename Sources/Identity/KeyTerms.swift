package import MailTypes
package import Postgres

/// What a key is for, and where and how long it is good. Fixed when it is made: another purpose is another key.
package struct KeyTerms: Sendable, Hashable {
    package var scopes: KeyScopes
    /// Where its requests may come from; empty: from anywhere.
    package var networks: [IPNetwork]
    /// When it ends by itself; nil: never.
    package var expiresAt: PostgresTimestamp?

    package init(
        scopes: KeyScopes = .all, networks: [IPNetwork] = [], expiresAt: PostgresTimestamp? = nil
    ) {
        self.scopes = scopes
        self.networks = networks
        self.expiresAt = expiresAt
    }

    /// - Throws: ``IdentityError/invalidNetworks`` where one of them is none, or there are too many.
    package static func networks(_ texts: [String]) throws(IdentityError) -> [IPNetwork] {
        guard texts.count <= IdentityLimits.networks else { throw .invalidNetworks }
        var networks: [IPNetwork] = []
        for text in texts {
            guard let network = IPNetwork(text) else { throw .invalidNetworks }
            if !networks.contains(network) { networks.append(network) }
        }
        return networks
    }

    /// Whether a request may come from there.
    ///
    /// - Parameter address: nil where it is not known, which is nowhere.
    package func allow(from address: IPAddress?) -> Bool {
        guard !networks.isEmpty else { return true }
        guard let address else { return false }
        return networks.contains { $0.contains(address) }
    }

    /// Whether a key with these terms may make one with the others: a key makes none that can do more, or lasts longer,
    /// than itself.
    package func allow(_ others: KeyTerms) -> Bool {
        scopes.allow(others.scopes)
            && (networks.isEmpty
                || !others.networks.isEmpty
                    && others.networks.allSatisfy { other in networks.contains { $0.contains(other) } })
            && (expiresAt ?? .infinity) >= (others.expiresAt ?? .infinity)
    }
}
