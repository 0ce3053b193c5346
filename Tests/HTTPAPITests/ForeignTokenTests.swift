import Foundation
import Identity
import MailTypes
import Postgres
import TestDatabases
import TestSupport
import Testing
import Vault

/// Session tokens that PyJWT has made, shown to a running server (RFC 8725 §2); and one of the server's, which PyJWT reads.
@Suite struct ForeignTokenTests {
    @Test(.timeLimit(.minutes(5))) func `no token that PyJWT makes opens anything, and it verifies the honest one`()
        async throws
    {
        let fixture = try await APIFixture.shared()
        let customer = try await fixture.customer()
        let owner = try await fixture.user(.member(customer.account, .owner))
        let browser = try await fixture.withPages { try await fixture.signIn(owner, $0) }
        let (kid, key) = try await Self.key(fixture)
        let claims = try JSON(parsing: try Self.payload(browser.token))
        try await fixture.withServer { port in
            let given = """
                {"url": "http://localhost:\(port)", "token": "\(browser.token)", "kid": "\(kid)",
                    "private": "\(key.hexadecimal)", "claims": \(try Self.payload(browser.token))}
                """
            let (status, output) = try await Self.run(given)
            guard status != 77 else { return print("skipped: no python3 with PyJWT and cryptography") }
            try #require(status == 0, "\(output)")
            let seen = try JSON(parsing: output)
            // The same token with nothing wrong in it is taken, so each of the others is refused for what is wrong in it.
            #expect(seen["honest"] == 200)
            #expect(seen["ours"] == 200)
            let forged = seen["forged"]
            #expect(forged.names.count > 50)
            for name in forged.names.sorted() { #expect(forged[name] == 401, "\(name)") }
            #expect(seen["claims"] == claims)
            #expect(seen["header"].names == ["alg", "typ", "kid"] && seen["header"]["kid"].string == kid)
        }
    }

    /// The installation's own key, as somebody would have it who has the vault.
    private static func key(_ fixture: APIFixture) async throws -> (id: String, key: [UInt8]) {
        let row = try await fixture.records.owner.query(
            "SELECT key_id, sealed FROM session_keys ORDER BY created_at DESC, key_id LIMIT 1"
        ).only
        let (id, sealed) = try row.decode(String.self, [UInt8].self)
        return (
            id,
            try fixture.vault.sessionKey.open(
                sealed, as: SealContext(account: Vault.installation, purpose: .sessionKey, label: id))
        )
    }

    private static func payload(_ token: String) throws -> String {
        var text = String(token.split(separator: ".")[1]).replacing("-", with: "+").replacing("_", with: "/")
        while text.count % 4 != 0 { text += "=" }
        return String(decoding: try #require(Data(base64Encoded: text)), as: UTF8.self)
    }

    /// - Parameter given: goes to standard input, since everybody who can list processes reads arguments.
    private static func run(_ given: String) async throws -> (status: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", ProjectFolder.path + "/Tests/HTTPAPITests/Support/forge_tokens.py"]
        let (input, output) = (Pipe(), Pipe())
        process.standardInput = input
        process.standardOutput = output
        do {
            try process.run()
        } catch {
            return (77, "")
        }
        // Reads on a thread of its own: the server answers on those of the test.
        return await Task.detached {
            try? input.fileHandleForWriting.write(contentsOf: Data(given.utf8))
            try? input.fileHandleForWriting.close()
            let text = output.fileHandleForReading.readDataToEndOfFile()
            process.waitUntilExit()
            let status = process.terminationStatus
            return (status == 127 ? 77 : status, String(decoding: text, as: UTF8.self))
        }.value
    }
}
