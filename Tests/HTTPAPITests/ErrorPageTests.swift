import Campaigns
import CreditLedger
import Feedback
import Foundation
import HTTPAPI
import HTTPTypes
import Identity
import MailMessage
import MailTypes
import Passwords
import SendingDomains
import Testing
import Webhooks

/// docs/errors.md against the sources: each code that the API answers has a line there with its status, and no other.
@Suite struct ErrorPageTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private static func text(_ path: String) throws -> String {
        try String(contentsOf: root.appending(path: path), encoding: .utf8)
    }

    // MARK: The page

    /// Statuses by code, of the tables that have statuses.
    private static func documented() throws -> [String: Set<Int>] {
        var found: [String: Set<Int>] = [:]
        for match in try text("docs/errors.md").matches(of: /\n\| `([a-z0-9_]+)` \| ([0-9, ]+) \|/) {
            let statuses = match.2.split(separator: ",").compactMap { Int($0.trimmingCharacters(in: .whitespaces)) }
            #expect(found.updateValue(Set(statuses), forKey: String(match.1)) == nil, "\(match.1) has two lines")
        }
        return found
    }

    /// Codes of the table of lines and addresses.
    private static func documentedForLines() throws -> Set<String> {
        Set(try text("docs/errors.md").matches(of: /\n\| `([a-z0-9_]+)` \| [a-zA-Z]/).map { String($0.1) })
    }

    // MARK: The sources

    /// What lower rooms refuse, as the API says it.
    private static let errors: [any Error] = {
        var errors: [any Error] = []
        for code in SendingDomainError.Code.allCases { errors.append(SendingDomainError(code, "x")) }
        for code in WebhookError.Code.allCases { errors.append(WebhookError(code, "x")) }
        for code in ImportError.Code.allCases { errors.append(ImportError(code, line: 1, "x")) }
        for code in MessageError.Code.allCases { errors.append(MessageError(code, "x")) }
        for error in SuppressionError.allCases { errors.append(error) }
        for error in IdempotencyError.allCases { errors.append(error) }
        for error in IdentityError.allCases { errors.append(error) }
        for error in SecondFactorError.allCases { errors.append(error) }
        for error in UserError.allCases { errors.append(error) }
        for error in InvitationError.allCases { errors.append(error) }
        for error in MailCodeError.allCases { errors.append(error) }
        for error in PasswordError.allCases { errors.append(error) }
        let campaigns: [CampaignError.Code] = [
            .notFound, .illegalTransition, .noRecipients, .domainNotRegistered, .domainNotProven, .sourcePoolUnknown,
            .purged, .invalidSetting, .uploadInProgress, .uploadLost, .tooManyDrafts, .tooManyCampaigns,
            .malformedRecord, .settlementMismatch,
        ]
        for code in campaigns { errors.append(CampaignError(code, "x")) }
        let ledger: [LedgerError] = [.insufficientCredits(missing: 1, available: 1), .overflow, .inconsistent]
        for error in ledger { errors.append(error) }
        return errors
    }()

    /// Written down where they are thrown: `Problem(.conflict, "code"`, `.invalid("code"`.
    private static func written() throws -> [String: Set<Int>] {
        let statuses: [Substring: Int] = [
            "badRequest": 400, "unauthorized": 401, "forbidden": 403, "notFound": 404, "methodNotAllowed": 405,
            "requestTimeout": 408, "conflict": 409, "gone": 410, "contentTooLarge": 413, "unsupportedMediaType": 415,
            "unprocessableContent": 422, "tooManyRequests": 429, "internalServerError": 500, "serviceUnavailable": 503,
        ]
        var found: [String: Set<Int>] = [:]
        let files = try #require(FileManager.default.enumerator(atPath: root.path + "/Sources/HTTPAPI"))
        for case let file as String in files where file.hasSuffix(".swift") {
            let source = try text("Sources/HTTPAPI/\(file)")
            for match in source.matches(of: /Problem\(\s*\.([A-Za-z]+), "([a-z0-9_]+)"/) {
                found[String(match.2), default: []].insert(try #require(statuses[match.1], "\(match.1) in \(file)"))
            }
            for match in source.matches(of: /\.invalid\(\s*"([a-z0-9_]+)"/) {
                found[String(match.1), default: []].insert(422)
            }
        }
        return found
    }

    /// Of providers' reports, by the causes that the room of them knows.
    private static func ofProviders() throws -> Set<String> {
        let source = try text("Sources/ProviderWebhooks/Providers/Provider.swift")
        let causes = try #require(source.firstMatch(of: /enum Cause: String, Sendable \{(?<cases>[^}]+)\}/))
        return Set(causes.cases.matches(of: /case ([a-z]+)/).map { "feedback_\($0.1)" }).union(["feedback_busy"])
    }

    @Test func `each code has a line with its status, and each line is a code`() throws {
        var expected = try Self.written()
        for error in Self.errors {
            let problem = Problem(describing: error)
            expected[problem.code, default: []].insert(problem.status.code)
        }
        expected["bad_request"] = [400]
        expected["missing_variables"] = [409]
        #expect(expected.count > 90)
        let providers = try Self.ofProviders()
        let documented = try Self.documented()
        #expect(providers.count == 5 && providers.subtracting(documented.keys) == [])
        let rest = documented.filter { !providers.contains($0.key) }
        for (code, statuses) in expected.sorted(by: { $0.key < $1.key }) { #expect(rest[code] == statuses, "\(code)") }
        #expect(Set(rest.keys).subtracting(expected.keys) == [])
    }

    @Test func `each code of a line or an address has its place`() throws {
        var expected: Set<String> = []
        for file in ["Sources/Campaigns/Import/LineError.swift", "Sources/MailTypes/AddressError.swift"] {
            let source = try Self.text(file)
            let start = try #require(source.firstRange(of: "package var code: String {"))
            let end = source[start.upperBound...].firstRange(of: "\n    }\n")?.lowerBound ?? source.endIndex
            for match in source[start.upperBound..<end].matches(of: /: "([a-z0-9_]+)"/) {
                expected.insert(String(match.1))
            }
        }
        #expect(expected.count > 30)
        #expect(try Self.documentedForLines().symmetricDifference(expected) == [])
    }

    /// The wording is for people who do not know the inside.
    @Test(arguments: [500, 503]) func `a fault of the server says nothing of the inside`(_ status: Int) {
        let inner = "SELECT secret FROM accounts at /srv/sluice"
        let errors: [any Error] = [
            CampaignError(.malformedRecord, inner), SendingDomainError(.malformedRecord, inner),
            SendingDomainError(.suffixesUnknown, "the list of public suffixes is missing"),
            WebhookError(.malformedRecord, inner), Unexpected(answer: Answer(status: 1, headers: [:], text: inner)),
            CancellationError(),
        ]
        for error in errors where Problem(describing: error).status.code == status {
            #expect(!Problem(describing: error).detail.contains("SELECT"))
            #expect(!Problem(describing: error).detail.contains("/srv"))
        }
    }
}
