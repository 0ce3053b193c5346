package import NIOSSL

/// How this node answers a certificate authority that looks whether a name leads here (RFC 8555 §8).
package struct CertificateChallenges: Sendable {
    /// The body for http-01; nil for a token that nobody waits for.
    package let file: @Sendable (_ token: String) async -> String?
    /// The TLS of a tls-alpn-01 handshake (RFC 8737); nil for a name that nobody proves.
    package let handshake: @Sendable (_ name: String) async -> NIOSSLContext?

    package init(
        file: @escaping @Sendable (_ token: String) async -> String?,
        handshake: @escaping @Sendable (_ name: String) async -> NIOSSLContext?
    ) {
        self.file = file
        self.handshake = handshake
    }

    /// Where http-01 is asked for.
    static let path = "/.well-known/acme-challenge/{token}"
    /// What a client of tls-alpn-01 asks for, alone.
    static let applicationProtocol = "acme-tls/1"
}
