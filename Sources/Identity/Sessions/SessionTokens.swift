import JWTKit
import MailTypes

/// What a session token says (RFC 7519). It is believed only as long as the database does, see ``Sessions``.
struct SessionClaims: JWTPayload, Equatable {
    var iss = Self.issuer
    var aud = Self.audience
    /// The user.
    let sub: String
    /// Account, or 0 for the installation, and session.
    let acc: Int64
    let sid: Int64
    let gen: SessionGeneration
    /// Seconds since 1970.
    let iat: Int64
    let exp: Int64

    static let issuer = "sluice"
    static let audience = "sluice api"

    /// Nothing: ``SessionTokens`` compares the claims with a time that it is given.
    func verify(using algorithm: some JWTAlgorithm) {}
}

/// Signs and reads session tokens. One algorithm, known keys alone.
struct SessionTokens: Sendable {
    let keys: SessionKeys
    /// Seconds since 1970.
    let now: @Sendable () -> Int64

    func sign(_ user: AuthenticatedUser) async throws -> Redacted<String> {
        let key = try await keys.signing()
        let time = now()
        let claims = SessionClaims(
            sub: user.user.description, acc: user.kind.account.rawValue, sid: user.session.rawValue,
            gen: user.generation, iat: time, exp: time + PeopleLimits.tokenSeconds)
        return Redacted(try await key.collection.sign(claims, kid: JWKIdentifier(string: key.id)))
    }

    /// - Returns: nil for what is no token of ours, or is over.
    /// - Throws: `PostgresError` where the database cannot tell
    func read(_ text: String) async throws -> SessionClaims? {
        guard text.utf8.count <= PeopleLimits.tokenOctets, let id = Self.keyID(text),
            let key = try await keys.find(id),
            let claims = try? await key.collection.verify(text, as: SessionClaims.self)
        else { return nil }
        let time = now()
        guard claims.iss == SessionClaims.issuer, claims.aud == SessionClaims.audience, claims.exp > time,
            claims.exp - claims.iat == PeopleLimits.tokenSeconds
        else { return nil }
        return claims
    }

    /// The key that the header names, where it has the one algorithm and nothing that would want to be understood.
    private static func keyID(_ text: String) -> String? {
        guard let header = try? DefaultJWTParser().parse(Array(text.utf8), as: SessionClaims.self).header,
            Set(header.fields.keys) == ["alg", "typ", "kid"], header.alg == "EdDSA", header.typ == "JWT"
        else { return nil }
        return header.kid
    }
}
