/// What a domain's `_mta-sts` TXT record says: that there is a policy, and which (RFC 8461 §3.1).
package struct MTASTSRecord: Sendable, Hashable {
    /// 1 to 32 letters and digits; another one means that the policy changed.
    package let id: String

    package init(id: String) {
        self.id = id
    }

    /// - Parameter texts: all TXT records of `_mta-sts.<domain>`.
    /// - Returns: nil unless exactly one is a record of this version, and well-formed.
    package init?(texts: [String]) {
        let records = texts.filter { TagList.starts($0, with: "STSv1") }
        guard records.count == 1, let tags = TagList(records[0]), let id = tags["id"],
            (1...32).contains(id.utf8.count), id.utf8.allSatisfy(\.isLetterOrDigit)
        else { return nil }
        self.init(id: id)
    }
}
