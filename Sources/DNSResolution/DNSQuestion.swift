/// A name and a type of record in the Internet class.
struct DNSQuestion: Hashable, Sendable {
    enum RecordType: Int32, Sendable {
        case address = 1
        case pointer = 12
        case mailExchange = 15
        case text = 16
        case version6Address = 28
        case tlsa = 52
    }

    /// As from `HostName`: nothing in it that a master file would read as more than itself.
    let name: String
    let type: RecordType
}

/// What came of a question.
enum DNSAnswer: Hashable, Sendable {
    /// The data of one or more records.
    ///
    /// - Parameters:
    ///   - isSecure: DNSSEC proves them, and the aliases that led to them. Bogus ones never come this far.
    ///   - canonicalName: whose records they are, if aliases led there.
    case records([[UInt8]], isSecure: Bool = false, canonicalName: String? = nil)
    /// The name exists and has no such record.
    case noRecords
    /// NXDOMAIN.
    case noName
    /// Nothing is known.
    case failure(DNSFailure.Reason)
}
