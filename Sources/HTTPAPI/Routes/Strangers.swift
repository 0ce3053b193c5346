import Postgres

extension ConnectionOwner {
    /// Whoever is not known yet: who signs in, signs up, joins or has forgotten a password. All together have the share of one
    /// account.
    static let strangers = ConnectionOwner("sign-ins")
}
