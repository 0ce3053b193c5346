import Foundation
import MailTypes
import TestSupport
import Testing
import Vault

/// The unsubscribe page in a real browser: Chromium, where it is installed.
@Suite struct UnsubscribeBrowserTests {
    @Test func `a browser shows the page in its language, and its button unsubscribes`() async throws {
        try await APIFixture.withOwnDatabase { fixture, customer, api in
            let id = try await api.sent(1)
            try await fixture.deliver(id, of: customer.account)
            let keys = try await fixture.vault.accountKeys(customer.account)
            let token = RecipientToken(
                account: customer.account, campaign: try #require(CampaignID(id)),
                fingerprint: keys.fingerprinter.fingerprint(try EmailAddress("person0@example.org"))
            ).text(signedWith: keys)
            let isSeen = try await fixture.withServer { port in
                let (status, output) = try await Self.browse("http://localhost:\(port)/u/\(token)", language: "de")
                guard status != 77 else {
                    print("skipped: chromium is not installed")
                    return false
                }
                try #require(status == 0, "\(output)")
                let seen = try JSON(parsing: output)
                let before = seen["before"]
                #expect(before["title"] == "Abmelden" && before["heading"] == "Abmelden")
                #expect(before["language"] == "de")
                #expect(before["sentence"] == "Möchten Sie keine Nachrichten von shop.example mehr erhalten?")
                #expect(before["button"] == "Abmelden")
                // The policy lets the page's own style through.
                #expect(before["height"] == "44px")
                #expect(before["cookies"] == .list([]))
                #expect(seen["after"]["title"] == "Sie sind abgemeldet")
                #expect(seen["after"]["heading"] == "Sie sind abgemeldet" && seen["after"]["status"] == true)
                #expect(seen["log"] == .list([]))
                return true
            }
            guard isSeen else { return }
            let found = try await api.get("/v1/suppressions?address=person0@example.org").json["data"]
            #expect(found[0]["reason"] == "unsubscribe")
        }
    }

    private static func browse(_ url: String, language: String) async throws -> (status: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [
            "python3", ProjectFolder.path + "/Tests/HTTPAPITests/Support/browse_unsubscribe.py", url, language,
        ]
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        // Reads on a thread of its own: the server answers on those of the test.
        return await Task.detached {
            let output = pipe.fileHandleForReading.readDataToEndOfFile()
            process.waitUntilExit()
            return (process.terminationStatus, String(decoding: output, as: UTF8.self))
        }.value
    }
}
