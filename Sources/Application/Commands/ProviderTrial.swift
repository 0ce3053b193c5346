import AsyncHTTPClient
import Foundation
import MailTypes
import NIOCore
import NIOHTTP1
import NIOPosix
import Postgres
import ProviderWebhooks
import Vault

/// A report of a provider, played from its signature to what would follow from it.
struct ProviderTrial {
    let records: Records
    let kind: ProviderKind
    /// Address of a running server.
    let server: String

    struct Result: Encodable {
        let provider: String
        /// Of HTTP.
        let status: Int
        var answer: String?
        var events, recognised, new: Int?
        var problem: String?

        var isRight: Bool { status == 200 && events == 1 && recognised == 1 && problem == nil }

        var text: String {
            var table = TextTable()
            table.add("sent", "a hard bounce as \(provider) reports it, signed with a key made for this test")
            table.add("answer", "\(status)" + (answer.map { " " + $0 } ?? ""))
            if let events, let recognised {
                table.add("worked off", "\(events) event, \(recognised) recognised as about a mail of ours")
                table.add("would follow", new == 1 ? "the address is suppressed; undone" : "nothing")
            } else if status == 200 {
                table.add("worked off", "not within 20 s: is a server with the role api running over this database?")
            }
            if let problem { table.add("problem", problem) }
            return table.text
        }
    }

    func run(for account: AccountID?) async throws -> Result {
        let token = try await token(account)
        let specimen = try ProviderSpecimen(kind)
        let (id, secret) = try await records.providerSources.add(
            kind, name: "test", material: specimen.material, isTest: true)
        do {
            let result = try await run(specimen, token, id, secret)
            _ = try await records.providerSources.remove(id)
            return result
        } catch {
            _ = try? await records.providerSources.remove(id)
            throw error
        }
    }

    /// Of a mail that nobody has sent, to an address that nobody has.
    private func token(_ account: AccountID?) async throws -> String {
        let chosen: AccountID
        if let account {
            try await records.requireAccount(account)
            chosen = account
        } else {
            let first = try await records.pool.query("SELECT min(account_id) FROM accounts").only.decode(Int64?.self)
            guard let first else { throw CommandFailure("there is no account; sluice account create makes one") }
            chosen = AccountID(rawValue: first)
        }
        let keys = try await records.vault.accountKeys(chosen)
        let address = try EmailAddress("feedback-test-\(UInt64.random(in: 0 ... .max))@example.org")
        return RecipientToken(
            account: chosen, campaign: CampaignID(rawValue: .random(in: 1...Int64.max)),
            fingerprint: keys.fingerprinter.fingerprint(address)
        ).text(signedWith: keys)
    }

    private func run(
        _ specimen: ProviderSpecimen, _ token: String, _ id: Int64, _ secret: SourceSecret
    ) async throws -> Result {
        // Every node has read its sources anew by then.
        try await Task.sleep(for: .seconds(ProviderLimits.bookSeconds + 1))
        let sent = try specimen.hardBounces([token], now: Int64(Date().timeIntervalSince1970))
        let address =
            try APIClient(address: server, key: "").base + "/v1/feedback/\(kind.rawValue)/\(secret.text.exposed)"
        let (status, answer) = try await Self.post(sent, to: address)
        var result = Result(provider: kind.rawValue, status: status)
        guard status == 200 else {
            result.answer = answer
            return result
        }
        for _ in 0..<100 {
            if let found = try await records.providerSources.testResult(id) {
                result.events = found.events
                result.recognised = found.recognised
                result.new = found.noted
                result.problem = found.problem
                break
            }
            try await Task.sleep(for: .milliseconds(200))
        }
        return result
    }

    /// - Returns: the status, and the code of a problem
    static func post(
        _ request: ProviderSpecimen.Request, to address: String, by client: HTTPClient = .shared
    ) async throws -> (Int, String) {
        var http = HTTPClientRequest(url: address)
        http.method = .POST
        for (name, value) in request.headers { http.headers.add(name: name, value: value) }
        http.body = .bytes(request.body)
        do {
            let response = try await client.execute(http, timeout: .seconds(30))
            let body = try await response.body.collect(upTo: 65_536)
            struct Problem: Decodable { let code: String? }
            let problem = try? JSONDecoder().decode(Problem.self, from: Data(body.readableBytesView))
            return (Int(response.status.code), problem?.code ?? "")
        } catch let error as HTTPClientError {
            throw CommandFailure("the server was not reached: \(error.shortDescription)")
        } catch is NIOConnectionError {
            throw CommandFailure("nobody answers there; --server names a running server")
        }
    }
}
