import Foundation
import Testing

/// Webhooks of providers as an operator meets them: made, tried out through a running server, listed, closed.
@Suite struct ProviderFeedbackTests {
    private struct Source: Decodable {
        let id: Int
        let provider: String
        let url: String?
        let events: Int?
    }

    @Test(.timeLimit(.minutes(5))) func `each provider's report goes all the way, and leaves nothing`() throws {
        let installation = try Installation(
            directory: try TemporaryDirectory(), route: "smtp://127.0.0.1:9", credits: 1)
        let server = ["--server", "http://127.0.0.1:\(installation.apiPort)"]
        for provider in ["ses", "sendgrid", "mailgun", "brevo", "generic"] {
            let told = try installation.sluice("feedback", "test", provider, server[0], server[1])
            #expect(told.contains("1 event, 1 recognised"), "\(told)")
            #expect(told.contains("the address is suppressed; undone"), "\(told)")
        }
        #expect(
            try installation.sluice("suppression", "list", "--account", installation.account, "--json") == "[\n\n]\n")
        // Nobody listens there.
        _ = try installation.sluice("feedback", "test", "ses", "--server", "http://127.0.0.1:9", expecting: 1)

        let added = try decode(Source.self, installation.sluice("feedback", "add", "postmark", "--json"))
        let url = try #require(added.url)
        #expect(
            url.wholeMatch(of: /https:\/\/sluice:[0-9a-f]{40}@YOUR-SERVER\/v1\/feedback\/postmark\/[0-9a-f]{40}/) != nil
        )
        let listed = try decode([Source].self, installation.sluice("feedback", "list", "--json"))
        #expect(listed.map(\.provider) == ["postmark"] && listed.first?.events == 0)
        _ = try installation.sluice("feedback", "add", "ses", "--topic", "arn:aws:sns:nowhere", expecting: 1)
        try installation.sluice("feedback", "remove", "\(added.id)")
        #expect(try decode([Source].self, installation.sluice("feedback", "list", "--json")).isEmpty)
        // What the server has logged names no secret and no address.
        let log = try String(contentsOfFile: installation.directory.path + "/serve.log", encoding: .utf8)
        #expect(!log.contains("/v1/feedback") && !log.contains("example.org"))
        installation.killWithDatabase()
    }

    private func decode<Value: Decodable>(_ type: Value.Type, _ text: String) throws -> Value {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(type, from: Data(text.utf8))
    }
}
