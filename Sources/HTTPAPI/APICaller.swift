package import Identity

/// Who asks: a program with a key, or a person who has signed in.
package enum APICaller: Sendable, Hashable {
    case key(AuthenticatedKey)
    case person(AuthenticatedUser)

    /// Nil for a person.
    var key: AuthenticatedKey? {
        switch self {
        case .key(let key): key
        case .person: nil
        }
    }
}
