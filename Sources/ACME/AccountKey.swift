import Crypto
import Foundation

/// The key of an account at an authority: signs its requests with ES256 (RFC 7518 §3.4).
struct AccountKey: Sendable {
    let key: P256.Signing.PrivateKey

    init() { key = P256.Signing.PrivateKey() }

    /// - Parameter bytes: as ``bytes`` gives them.
    init(bytes: [UInt8]) throws { key = try P256.Signing.PrivateKey(rawRepresentation: bytes) }

    var bytes: [UInt8] { Array(key.rawRepresentation) }

    /// Whom a request names as its signer (RFC 8555 §6.2).
    enum Signer: Sendable {
        /// The key itself, until there is an account.
        case key
        case account(url: String)
    }

    /// The flattened JSON form of a JWS (RFC 7515 §7.2.2).
    ///
    /// - Parameter payload: nil for POST-as-GET (RFC 8555 §6.3).
    func sign(_ payload: Data?, url: String, nonce: String, as signer: Signer) throws -> Data {
        var header: [String: Any] = ["alg": "ES256", "nonce": nonce, "url": url]
        switch signer {
        case .key: header["jwk"] = jwk
        case .account(let account): header["kid"] = account
        }
        let protected = Base64URL.text(try Self.json(header))
        let body = payload.map(Base64URL.text) ?? ""
        let signature = try key.signature(for: Data("\(protected).\(body)".utf8))
        return try Self.json([
            "protected": protected, "payload": body, "signature": Base64URL.text(signature.rawRepresentation),
        ])
    }

    /// Sorted and without blanks: what a thumbprint is made of (RFC 7638 §3) is text as well.
    static func json(_ value: Any) throws -> Data {
        try JSONSerialization.data(withJSONObject: value, options: [.sortedKeys, .withoutEscapingSlashes])
    }

    /// What proves that whoever answers a challenge has this key (RFC 8555 §8.1).
    func authorization(of token: String) throws -> String { "\(token).\(try thumbprint())" }

    func thumbprint() throws -> String { Base64URL.text(SHA256.hash(data: try Self.json(jwk))) }

    private var jwk: [String: String] {
        let point = key.publicKey.rawRepresentation
        return [
            "crv": "P-256", "kty": "EC", "x": Base64URL.text(point.prefix(32)), "y": Base64URL.text(point.suffix(32)),
        ]
    }
}

/// Base64 for URLs without padding (RFC 7515 §2).
enum Base64URL {
    static func text(_ bytes: some Sequence<UInt8>) -> String {
        Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }

    static func isText(_ text: String) -> Bool {
        text.utf8.allSatisfy { byte in
            switch byte {
            case 0x61...0x7A, 0x41...0x5A, 0x30...0x39, UInt8(ascii: "-"), UInt8(ascii: "_"): true
            default: false
            }
        }
    }
}
