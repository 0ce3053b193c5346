import Crypto
import Foundation
import Testing

@testable import ACME

/// What an authority checks of each request (RFC 8555 §6.2).
struct AccountKeyTests {
    private static func decoded(_ text: String) throws -> Data {
        let padded = text.replacing("-", with: "+").replacing("_", with: "/")
        return try #require(Data(base64Encoded: padded + String(repeating: "=", count: (4 - padded.count % 4) % 4)))
    }

    private static func parts(_ jws: Data) throws -> [String: String] {
        try #require(try JSONSerialization.jsonObject(with: jws) as? [String: String])
    }

    @Test func `a request is signed over what it says and where it goes`() throws {
        let key = AccountKey()
        let parts = try Self.parts(
            key.sign(
                Data("{}".utf8), url: "https://ca.example/new", nonce: "abc", as: .account(url: "https://ca.example/1"))
        )
        #expect(parts.keys.sorted() == ["payload", "protected", "signature"])
        let signature = try P256.Signing.ECDSASignature(
            rawRepresentation: try Self.decoded(try #require(parts["signature"])))
        let signed = "\(try #require(parts["protected"])).\(try #require(parts["payload"]))"
        #expect(key.key.publicKey.isValidSignature(signature, for: Data(signed.utf8)))
        #expect(!key.key.publicKey.isValidSignature(signature, for: Data((signed + "A").utf8)))
        let header = String(decoding: try Self.decoded(try #require(parts["protected"])), as: UTF8.self)
        #expect(
            header
                == #"{"alg":"ES256","kid":"https://ca.example/1","nonce":"abc","url":"https://ca.example/new"}"#)
        #expect(try Self.decoded(try #require(parts["payload"])) == Data("{}".utf8))
    }

    @Test func `before there is an account the key itself is shown, and a fetch has no payload`() throws {
        let key = AccountKey()
        let parts = try Self.parts(key.sign(nil, url: "https://ca.example/x", nonce: "n", as: .key))
        #expect(parts["payload"]?.isEmpty == true)
        let protected = try Self.decoded(try #require(parts["protected"]))
        let header = try #require(try JSONSerialization.jsonObject(with: protected) as? [String: Any])
        let jwk = try #require(header["jwk"] as? [String: String])
        #expect(header["kid"] == nil && jwk["kty"] == "EC" && jwk["crv"] == "P-256")
        let point = try Self.decoded(try #require(jwk["x"])) + Self.decoded(try #require(jwk["y"]))
        #expect(point == key.key.publicKey.rawRepresentation)
    }

    /// The digest of the members that RFC 7638 §3.2 names, in the order of their names.
    @Test func `the thumbprint is that of the key, also after it was stored`() throws {
        let key = AccountKey()
        let again = try AccountKey(bytes: key.bytes)
        let point = key.key.publicKey.rawRepresentation
        let text =
            #"{"crv":"P-256","kty":"EC","x":"\#(Base64URL.text(point.prefix(32)))","y":"\#(Base64URL.text(point.suffix(32)))"}"#
        #expect(try key.thumbprint() == Base64URL.text(SHA256.hash(data: Data(text.utf8))))
        #expect(try again.authorization(of: "token") == "token.\(try key.thumbprint())")
    }

    @Test(arguments: ["", "abc-_019", "a b", "../x", "a=", "é"])
    func `what may stand in a token`(_ text: String) {
        #expect(Base64URL.isText(text) == ["", "abc-_019"].contains(text))
    }
}
