import Feedback
import MailTypes
import Postgres
import TestDatabases
import TestStores
import Testing
import Vault

@testable import ProviderWebhooks

@Suite struct TokenFinderTests {
    /// The token found in a value, if it is the one made.
    private func finds(_ desk: Desk, _ value: (String) -> JSONValue) async throws -> Bool {
        let made = try await desk.token("jane@example.org")
        let keys = try await desk.stores.vault.accountKeys(desk.account)
        return TokenFinder.candidates(in: value(made)).contains {
            $0.verified(with: keys)?.text(signedWith: keys) == made
        }
    }

    @Test func `a token is found wherever providers repeat something of ours`() async throws {
        try await Desk.with { desk in
            let texts: [(String) -> String] = [
                { $0 }, { "b-\($0)@bounce.example.com" }, { "<b-\($0)@bounce.example.com>" },
                { "<\($0)@news.example.com>" }, { "<m.\($0)@news.example.com>" },
                { "<https://mail.example.com/u/\($0)>" },
                { "https%3A%2F%2Fmail.example.com%2Fu%2F\($0)" }, { "%3Cb-\($0)%40bounce.example.com%3E" },
                { $0.uppercased() }, { "42:\($0):news" }, { #"{"sluice":"\#($0)"}"# },
            ]
            for text in texts {
                let isFound = try await finds(desk) { .string(text($0)) }
                #expect(isFound, "\(text("TOKEN"))")
                let isFoundDeep = try await finds(desk) {
                    .object(["a": .array([.null, .object(["name": .string("x"), "value": .string(text($0))])])])
                }
                #expect(isFoundDeep)
            }
        }
    }

    @Test func `letters that are no token, and tokens of others, are not ours`() async throws {
        try await Desk.with { desk in
            let other = try await desk.stores.account("other", credits: 0)
            let theirs = try await desk.token("jane@example.org", of: other)
            let keys = try await desk.stores.vault.accountKeys(desk.account)
            #expect(!TokenFinder.candidates(in: .string(theirs)).contains { $0.verified(with: keys) != nil })
            let ours = try await desk.token("jane@example.org")
            for place in [0, 20, 45, 59] {
                var altered = Array(ours)
                altered[place] = altered[place] == "a" ? "b" : "a"
                #expect(
                    !TokenFinder.candidates(in: .string(String(altered))).contains { $0.verified(with: keys) != nil })
            }
            #expect(TokenFinder.candidates(in: .string(String(ours.dropLast()))).isEmpty)
            #expect(TokenFinder.candidates(in: .string("jane@example.org")).isEmpty)
        }
    }

    @Test func `what looks like tokens is looked at within a bound`() {
        let texts = (0..<1_000).map { number -> JSONValue in
            let digits = Array("abcdefghij")
            let tail = String(String(number).map { digits[Int(String($0)) ?? 0] })
            return .string(tail + String(repeating: "a", count: TokenFinder.length - tail.count))
        }
        #expect(TokenFinder.candidates(in: .array(texts)).count == ProviderLimits.candidates)
    }
}
