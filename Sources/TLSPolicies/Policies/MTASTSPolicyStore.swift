/// Where policies outlive the process, and nodes of a fleet find what others have fetched: ``MTASTSPolicyTable``, and in
/// tests of ``MTASTSPolicies`` a shelf whose clock they move.
package protocol MTASTSPolicyStore: Sendable {
    /// Keeps policies. One that was fetched earlier than what is there changes nothing.
    func keep(_ policies: [StoredMTASTSPolicy]) async throws
    /// - Parameter reading: what the last call gave; nil for all.
    /// - Returns: the policies that hold and came since that reading, some of before it among them, and the name of this
    ///   reading.
    func kept(since reading: Int64?) async throws -> (policies: [StoredMTASTSPolicy], reading: Int64)
}
