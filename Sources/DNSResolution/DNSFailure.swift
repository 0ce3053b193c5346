/// Why a name could not be resolved to what was asked for.
package enum DNSFailure: Error, Sendable, Hashable, CustomStringConvertible {
    /// The DNS says so; asking again will not help soon.
    case permanent(Reason)
    /// The DNS could not be asked; asking later may help.
    case temporary(Reason)

    package enum Reason: String, Sendable, Hashable {
        case noSuchDomain = "the domain does not exist"
        case noMailHost = "the domain has neither mail hosts nor an address"
        case noUsableMailHost = "no mail host of the domain has an address"
        case noRecords = "the name has no such records"
        case nameUnusable = "the name cannot stand in a query"
        case serverFailure = "the name servers failed"
        case refused = "the name servers refused to answer"
        case bogus = "the answer does not carry the signatures that it must"
        case tooManyAliases = "the name leads through too many aliases"
        case timeout = "no answer came in time"
        case cancelled = "the question was withdrawn"
    }

    package var reason: Reason {
        switch self {
        case .permanent(let reason), .temporary(let reason): reason
        }
    }

    package var isPermanent: Bool {
        if case .permanent = self { true } else { false }
    }

    package var description: String { reason.rawValue }
}
