import Foundation
import HTTPTypes
import MailTypes
import Postgres
import ProviderWebhooks
import TestDatabases
import Testing
import Vault

@Suite struct FeedbackRouteTests {
    private func source(_ fixture: APIFixture, _ specimen: ProviderSpecimen) async throws -> String {
        let sources = ProviderSources(records: fixture.records.pool, vault: fixture.vault)
        let secret = try await sources.add(specimen.kind, name: "test", material: specimen.material).secret
        // The tests of this process share the book, which is read every few seconds.
        try await Task.sleep(for: .seconds(ProviderLimits.bookSeconds) + .milliseconds(200))
        return "/v1/feedback/\(specimen.kind.rawValue)/\(secret.text.exposed)"
    }

    private func post(_ api: API, _ path: String, _ request: ProviderSpecimen.Request) async throws -> Answer {
        let headers = Dictionary(request.headers.map { ($0.name, $0.value) }) { first, _ in first }
        return try await api.call(.post, path, bytes: request.body, headers: headers)
    }

    @Test func `a provider needs no key, and its report is stored when it is answered`() async throws {
        let fixture = try await APIFixture.shared()
        let customer = try await fixture.customer()
        let specimen = try ProviderSpecimen(.sendgrid)
        let path = try await source(fixture, specimen)
        let keys = try await fixture.vault.accountKeys(customer.account)
        let token = RecipientToken(
            account: customer.account, campaign: CampaignID(rawValue: 1),
            fingerprint: keys.fingerprinter.fingerprint(try EmailAddress("jane@example.org"))
        ).text(signedWith: keys)
        let request = try specimen.hardBounces([token], now: Int64(Date().timeIntervalSince1970))
        try await fixture.withAPI { api in
            let answer = try await post(api, path, request)
            #expect(answer.status == 200 && answer.json["status"] == "taken", "\(answer.text)")
            answer.expectHeaders()
            var altered = request
            altered.body.append(0x20)
            try await post(api, path, altered).expectProblem(403, "feedback_unauthentic")
            let long = ProviderSpecimen.Request(
                headers: [], body: Array(repeating: 0x20, count: ProviderLimits.bodyBytes + 1))
            try await post(api, path, long).expectProblem(413, "body_too_large")
        }
        let waiting = try await fixture.records.owner.query(
            "SELECT count(*) FROM provider_payloads p JOIN provider_sources s USING (source_id) WHERE s.provider = 'sendgrid'"
        ).only.decode(Int.self)
        #expect(waiting == 1)
    }

    @Test func `a wrong secret, a wrong provider and no provider are answered alike`() async throws {
        let fixture = try await APIFixture.shared()
        let path = try await source(fixture, try ProviderSpecimen(.brevo))
        let secret = path.split(separator: "/").last ?? ""
        try await fixture.withAPI { api in
            for wrong in [
                path + "0", "/v1/feedback/mailjet/\(secret)", "/v1/feedback/nobody/\(secret)", "/v1/feedback/brevo/%00",
            ] {
                let answer = try await post(api, wrong, .init(headers: [], body: []))
                answer.expectProblem(404, "not_found")
                #expect(answer.json["detail"] == "There is nothing at this address for this account.")
            }
            // The right one says that something else is missing.
            try await post(api, path, .init(headers: [], body: [])).expectProblem(403, "feedback_unauthentic")
        }
    }
}
