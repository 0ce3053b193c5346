package import Foundation
package import MailTypes

/// Where policies outlive the process, and nodes of a fleet find what others have fetched.
package protocol MTASTSPolicyStore: Sendable {
    /// Keeps policies. One that was fetched earlier than what is there changes nothing.
    func keep(_ policies: [KeptMTASTSPolicy]) async throws
    /// - Parameter reading: what the last call gave; nil for all.
    /// - Returns: the policies that hold and came since that reading, some of before it among them, and the name of this
    ///   reading.
    func kept(since reading: Int64?) async throws -> (policies: [KeptMTASTSPolicy], reading: Int64)
}

/// A policy that was fetched and found valid.
package struct KeptMTASTSPolicy: Sendable, Hashable {
    package let domain: DomainName
    /// Of the record that announced it.
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
