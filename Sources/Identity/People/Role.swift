/// What a user may do in their account. Each role may do what those before it may; which call of the API needs which stands in
/// `HTTPAPI/APIOperation+Roles.swift`.
///
/// The raw value is stored and published.
package enum Role: String, Sendable, Hashable, CaseIterable, Comparable {
    case viewer, member, manager, admin, owner

    package static func < (left: Self, right: Self) -> Bool { left.rank < right.rank }

    private var rank: Int {
        switch self {
        case .viewer: 0
        case .member: 1
        case .manager: 2
        case .admin: 3
        case .owner: 4
        }
    }
}
