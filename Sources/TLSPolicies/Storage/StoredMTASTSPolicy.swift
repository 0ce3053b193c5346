package import Foundation
package import MailTypes

/// A policy that was fetched and found valid, as nodes leave it for their next life and for each other.
package struct StoredMTASTSPolicy: Sendable, Hashable {
    package let domain: DomainName
    /// Of the TXT record that announced it.
    package let id: String
    package let policy: MTASTSPolicy
    /// Seconds since it was fetched. Not a time, because the clocks of nodes and of the store differ.
    package let age: TimeInterval

    package init(domain: DomainName, id: String, policy: MTASTSPolicy, age: TimeInterval) {
        self.domain = domain
        self.id = id
        self.policy = policy
        self.age = age
    }
}
