import SMTPTransport

/// How a lane's connections are made.
struct ConnectionWay: Sendable {
    /// In order of preference.
    var targets: [SMTPTarget]
    var client: SMTPClientConfiguration
    /// The site is a smarthost that wants a login.
    var needsLogin = false
}
