/// The bounds of ordering certificates in one place.
package enum ACMELimits {
    /// Names on one certificate, as public authorities have it.
    package static let names = 100
    /// Octets of an authority's answer.
    static let answerBytes = 262_144
    static let requestSeconds: Int64 = 30
    /// An order that is not done by then has failed.
    static let orderSeconds = 300
    /// For which nobody else begins an order: longer than one takes.
    static let leaseSeconds = 360
    /// Times that a request is sent again because its nonce was not taken.
    static let nonceRetries = 20
    /// Pauses between two looks at an authority's work, in seconds, where it names none.
    static let pollSeconds = 1.0...10.0
    /// What of an authority's words is kept.
    static let problemCharacters = 400
    /// Certificates in a chain.
    static let chainLength = 10
    /// For how long a node believes the challenges that it has read. A new one is announced to the authority only after
    /// that.
    package static let challengeCacheSeconds = 1.0
}
