import MailTypes
import Testing

@testable import Vault

@Suite("Account keys")
struct AccountKeysTests {
    @Test func `each use has a key of its own`() throws {
        let root = try SealingKey(bytes: Array(0..<32))
        let keys = AccountKeys(root)
        #expect(keys.tokenKey.exposed.count == 32)
        #expect(keys.tokenKey.exposed != keys.sealing.bytes)
        #expect(keys.sealing.bytes != root.bytes)
    }

    @Test func `the same root gives the same keys`() throws {
        let root = try SealingKey(bytes: Array(0..<32))
        let address = try EmailAddress("jane@example.org")
        let (one, two) = (AccountKeys(root), AccountKeys(root))
        #expect(one.fingerprinter.fingerprint(address) == two.fingerprinter.fingerprint(address))
        #expect(one.tokenKey == two.tokenKey)
        #expect(one.sealing.bytes == two.sealing.bytes)
    }

    /// RFC 5869 with an empty salt, made with Python's `hmac`: the derivations must never change.
    @Test func `derivations are the stored ones`() throws {
        let root = try SealingKey(bytes: Array(0..<32))
        #expect(
            AccountKeys(root).tokenKey.exposed
                == hexadecimal("cda1f3c90dece85bf719357cf07e292e8c1b77a85aa28468173cf11430a02fe3"))
        let chain = SealingKey(try MasterKey(bytes: Array(0..<32)).derive(.ledgerChain)).bytes
        #expect(chain == hexadecimal("496a51a945c8867bb042ac7281ecbff3b53b026cc12d097d5addc29f4f752f41"))
    }
}
