import Feedback
import HTTPAPI
import HTTPTypes
import MailTypes
import TestStores
import Testing
import Vault

@Suite struct UnsubscribeTests {
    private func token(_ fixture: APIFixture, _ customer: Customer, _ address: String) async throws -> String {
        let keys = try await fixture.vault.accountKeys(customer.account)
        return RecipientToken(
            account: customer.account, campaign: CampaignID(rawValue: 7),
            fingerprint: keys.fingerprinter.fingerprint(try EmailAddress(address))
        ).text(signedWith: keys)
    }

    @Test func `looking asks and changes nothing, posting unsubscribes`() async throws {
        try await APIFixture.withCustomer { fixture, customer, api in
            let token = try await token(fixture, customer, "ada@example.org")
            let before = try await fixture.state(customer.account)
            try await fixture.withAPI { visitor in
                for _ in 0..<2 {
                    let page = try await visitor.get("/u/\(token)")
                    #expect(page.status == 200)
                    #expect(page.headers[.contentType] == "text/html; charset=utf-8")
                    #expect(page.headers[.contentSecurityPolicy]?.contains("form-action 'self'") == true)
                    page.expectHeaders()
                    #expect(page.text.contains(#"<form method="post">"#))
                    #expect(try await visitor.call(.head, "/u/\(token)").status == 200)
                }
                #expect(try await fixture.state(customer.account) == before)
                for _ in 0..<2 {
                    let done = try await visitor.call(
                        .post, "/u/\(token)", body: "List-Unsubscribe=One-Click",
                        type: "application/x-www-form-urlencoded")
                    #expect(done.status == 200)
                    done.expectHeaders()
                }
            }
            let found = try await api.get("/v1/suppressions?address=ada@example.org").json["data"]
            #expect(found[0]["reason"] == "unsubscribe")
            #expect(found[0]["origin"] == "recipient")
            #expect(try await fixture.count("suppressions", customer.account) == 1)
        }
    }

    @Test func `a click after the operator has taken the address off suppresses it again`() async throws {
        try await APIFixture.withCustomer { fixture, customer, api in
            let token = try await token(fixture, customer, "ada@example.org")
            let address = try EmailAddress("ada@example.org")
            for _ in 0..<2 {
                #expect(try await fixture.withAPI { try await $0.post("/u/\(token)") }.status == 200)
                let removed = try await fixture.stores.suppressions.remove(
                    address, account: customer.account, isOperator: true)
                #expect(removed)
            }
            #expect(try await fixture.count("feedback_facts", customer.account) == 1, "noted once")
        }
    }

    @Test func `after many broken links from its network a click is still taken`() async throws {
        try await APIFixture.withCustomer { fixture, customer, api in
            let token = try await token(fixture, customer, "ada@example.org")
            try await fixture.withAPI { visitor in
                var broken = try await visitor.post("/u/none")
                #expect(broken.status == 404)
                for _ in 0..<100 where broken.status == 404 { broken = try await visitor.post("/u/none") }
                #expect(broken.status == 429)
                let done = try await visitor.call(
                    .post, "/u/\(token)", body: "List-Unsubscribe=One-Click",
                    type: "application/x-www-form-urlencoded")
                #expect(done.status == 200)
            }
            let found = try await api.get("/v1/suppressions?address=ada@example.org").json["data"]
            #expect(found[0]["reason"] == "unsubscribe")
        }
    }

    @Test func `a link that is not ours does nothing`() async throws {
        try await APIFixture.withCustomer { fixture, customer, _ in
            let token = try await token(fixture, customer, "ada@example.org")
            let changed = String(token.dropLast(4)) + (token.hasSuffix("aaaa") ? "bbbb" : "aaaa")
            let before = try await fixture.state(customer.account)
            try await fixture.withAPI { visitor in
                for text in [changed, "x", "%00", "%ff", String(repeating: "a", count: 5_000), token + token] {
                    for page in [try await visitor.get("/u/\(text)"), try await visitor.post("/u/\(text)")] {
                        #expect(page.status == 404)
                        #expect(page.headers[.contentType] == "text/html; charset=utf-8")
                        #expect(page.text.contains("<h1>This link does not work</h1>"))
                        #expect(!page.text.contains("<form"))
                        page.expectHeaders()
                    }
                }
                let large = String(repeating: "x", count: 20_000)
                try await visitor.post("/u/\(token)", large).expectProblem(413, "body_too_large")
            }
            #expect(try await fixture.state(customer.account) == before)
        }
    }
}
