package import MailTypes

/// How to log in at a smarthost (RFC 4954).
package struct SMTPCredentials: Sendable, Hashable {
    package let username: Redacted<String>
    package let password: Redacted<String>
    /// Whether they may go over a connection without TLS. Only for tests and for hosts on the same machine.
    package let allowsPlaintext: Bool

    package init(username: String, password: String, allowsPlaintext: Bool = false) {
        self.username = Redacted(username)
        self.password = Redacted(password)
        self.allowsPlaintext = allowsPlaintext
    }

    /// RFC 4616 §2: no authorization identity, then name and password.
    var plainResponse: Redacted<String> {
        Redacted(Base64.encode([0] + Array(username.exposed.utf8) + [0] + Array(password.exposed.utf8)))
    }

    var encodedUsername: Redacted<String> { Redacted(Base64.encode(username.exposed.utf8)) }
    var encodedPassword: Redacted<String> { Redacted(Base64.encode(password.exposed.utf8)) }
}
