import Feedback
import HTTPAPI
import HTTPTypes
import MailTypes
import TestStores
import Testing
import Vault

/// Credits, suppressions and domains.
@Suite struct AccountRouteTests {
    @Test func `the balance adds up`() async throws {
        try await APIFixture.withCustomer(credits: 50) { _, _, api in
            _ = try await api.sent(8)
            let answer = try await api.get("/v1/credits")
            #expect(answer.status == 200)
            answer.expectHeaders()
            #expect(answer.text == #"{"posted":50,"held":8,"limit":0,"available":42}"#)
        }
    }

    @Test func `suppressions are added, found, listed and removed`() async throws {
        try await APIFixture.withCustomer { fixture, customer, api in
            let added = try await api.post(
                "/v1/suppressions",
                #"{"addresses": ["Ada@Example.org", "ada@example.org", "bo@example.org"], "reason": "hard_bounce", "note": "by phone"}"#
            )
            #expect((added.status, added.text) == (200, #"{"added":2,"already_listed":1,"invalid":0,"errors":[]}"#))
            let again = try await api.post("/v1/suppressions", #"{"addresses": ["bo@example.org", "cy@example.org"]}"#)
            #expect(again.text == #"{"added":1,"already_listed":1,"invalid":0,"errors":[]}"#)

            let found = try await api.get("/v1/suppressions?address=ADA@example.org").json["data"]
            #expect(found.elements.count == 1)
            #expect(found[0]["reason"] == "hard_bounce")
            #expect((found[0]["scope"].string, found[0]["address"].string) == ("account", "Ada@example.org"))
            #expect(found[0]["origin"] == "customer")
            #expect(found[0]["note"] == "by phone")
            let list = try await api.get("/v1/suppressions")
            #expect(list.json["data"].elements.count == 3)
            #expect(
                Set(list.json["data"].elements.map { $0["address"].string })
                    == ["Ada@example.org", "bo@example.org", "cy@example.org"])
            let bounced = try await api.get("/v1/suppressions?reason=hard_bounce").json["data"]
            // "manual", which came second, is the stronger reason of the other.
            #expect(bounced.elements.map { $0["address"].string } == ["Ada@example.org"])
            try await api.get("/v1/suppressions?reason=nothing").expectProblem(422, "invalid_field")

            let removed = try await api.delete("/v1/suppressions/ada@example.org")
            #expect((removed.status, removed.text) == (204, ""))
            removed.expectHeaders()
            try await api.delete("/v1/suppressions/ada@example.org").expectProblem(404, "not_found")
            #expect(try await api.get("/v1/suppressions?address=ada@example.org").json["data"] == [])
            #expect(try await fixture.count("suppressions", customer.account) == 2)
        }
    }

    @Test func `what a recipient asked for stays, for all that the customer can do`() async throws {
        try await APIFixture.withCustomer { fixture, customer, api in
            _ = try await api.post("/v1/suppressions", #"{"addresses": ["a@example.org"], "reason": "unsubscribe"}"#)
            try await api.delete("/v1/suppressions/a@example.org").expectProblem(409, "suppression_protected")
            let list = "email,reason\na@example.org,manual\n"
            let answer = try await api.call(.post, "/v1/suppressions/import", body: list, type: "text/csv")
            #expect(answer.text == #"{"added":0,"already_listed":1,"invalid":0,"errors":[],"form":"sluice"}"#)
            try await api.delete("/v1/suppressions/a@example.org").expectProblem(409, "suppression_protected")
            #expect(try await fixture.count("suppressions", customer.account) == 1)
        }
    }

    @Test func `a list is taken over as a whole, and an export is taken again`() async throws {
        try await APIFixture.withCustomer { fixture, customer, api in
            let list = """
                email,reason,created_at,note
                a@example.org,unsubscribe,2026-01-02T03:04:05.678901Z,"asked, by phone"
                b@@example.org,complaint,,
                c@example.org,hard_bounce,2026-01-02T03:04:05Z,

                """
            let refused = try await api.call(.post, "/v1/suppressions/import", body: list, type: "text/csv")
            refused.expectProblem(422, "invalid_lines")
            #expect(refused.json["errors"][0]["line"] == 3)
            #expect(!refused.text.contains("example.org"))
            #expect(try await fixture.count("suppressions", customer.account) == 0)
            let taken = try await api.call(
                .post, "/v1/suppressions/import?on_invalid=skip", body: list, type: "text/csv",
                idempotencyKey: "list")
            #expect((taken.status, taken.json["added"], taken.json["invalid"]) == (200, 2, 1))
            let repeated = try await api.call(
                .post, "/v1/suppressions/import?on_invalid=skip", body: list, type: "text/csv",
                idempotencyKey: "list")
            #expect(repeated.text == taken.text)
            try await api.call(
                .post, "/v1/suppressions/import", body: list, type: "text/csv", idempotencyKey: "list"
            ).expectProblem(422, "idempotency_conflict")

            let export = try await api.get("/v1/suppressions/export")
            #expect(export.headers[.contentType] == "text/csv; charset=utf-8")
            let lines = export.text.split(separator: "\r\n")
            #expect(lines.count == 3)
            #expect(
                lines.contains {
                    $0.hasPrefix("a@example.org,")
                        && $0.hasSuffix(#",unsubscribe,customer,2026-01-02T03:04:05.678901Z,"asked, by phone""#)
                })
            let again = try await api.call(.post, "/v1/suppressions/import", body: export.text, type: "text/csv")
            #expect((again.json["added"], again.json["already_listed"]) == (0, 2))
            #expect(try await api.get("/v1/suppressions/export").text == export.text)
        }
    }

    @Test func `what the operator lists for all is told to whoever asks for the address`() async throws {
        try await APIFixture.withOwnDatabase { fixture, _, api in
            let address = try EmailAddress("trap@example.org")
            try await fixture.stores.suppressions.add(
                [address], account: Vault.installation, reason: .complaint, origin: .operator, note: "secret")
            let found = try await api.get("/v1/suppressions?address=trap@example.org")
            #expect(found.json["data"].elements.count == 1)
            #expect(found.json["data"][0]["scope"] == "installation")
            #expect(!found.text.contains("secret"))
            #expect(try await api.get("/v1/suppressions").json["data"].elements.isEmpty)
            try await api.delete("/v1/suppressions/trap@example.org").expectProblem(404, "not_found")
            let draft = try await api.post("/v1/campaigns", API.draft)
            let id = try #require(draft.json["id"].string)
            let upload = try await api.upload(id, "email\ntrap@example.org\nb@example.org\n", type: "text/csv")
            #expect((upload.json["accepted"], upload.json["suppressed"]) == (2, 1))
        }
    }

    @Test func `paths are percent-decoded`() async throws {
        try await APIFixture.withCustomer { _, _, api in
            let body =
                #"{"addresses": ["a/b@example.org", "jörg@bücher.example", "per%cent@example.org", "a+b@example.org"]}"#
            #expect(try await api.post("/v1/suppressions", body).status == 200)
            for address in [
                "a%2Fb%40example.org", "j%C3%B6rg@b%C3%BCcher.example", "per%25cent@example.org", "a%2Bb@example.org",
            ] {
                #expect(try await api.get("/v1/suppressions?address=\(address)").json["data"].elements.count == 1)
                #expect(try await api.delete("/v1/suppressions/\(address)").status == 204, "\(address)")
            }
            try await api.delete("/v1/suppressions/a%ZZ@example.org").expectProblem(404, "not_found")
            try await api.delete("/v1/suppressions/%FF@example.org").expectProblem(404, "not_found")
            try await api.delete("/v1/suppressions/a%0D%0A@example.org").expectProblem(422, "address_control_character")
        }
    }

    @Test func `a domain is added with its records, told again, and removed`() async throws {
        try await APIFixture.withCustomer { fixture, customer, api in
            let added = try await api.post(
                "/v1/domains", #"{"domain": "Bücher.example", "selector": "s7", "ed25519": true}"#)
            #expect(added.status == 201, "\(added.text)")
            #expect(added.json["domain"] == "xn--bcher-kva.example")
            #expect(added.json["selector"] == "s7")
            let names = added.json["records"].elements.map { $0["name"].string ?? "" }
            #expect(
                names.starts(with: ["s7._domainkey.xn--bcher-kva.example", "s7e._domainkey.xn--bcher-kva.example"]))
            #expect(try await api.get("/v1/domains/b%C3%BCcher.example").text == added.text)
            #expect(try await api.get("/v1/domains").json["data"][0] == added.json)
            try await api.post("/v1/domains", #"{"domain": "bücher.example"}"#).expectProblem(409, "domain_exists")

            #expect(try await api.delete("/v1/domains/xn--bcher-kva.example").status == 204)
            try await api.get("/v1/domains/xn--bcher-kva.example").expectProblem(404, "domain_not_found")
            try await api.delete("/v1/domains/xn--bcher-kva.example").expectProblem(404, "domain_not_found")
            #expect(try await fixture.count("domain_keys", customer.account) == 0)
        }
    }

    @Test func `a domain that a campaign sends from stays`() async throws {
        try await APIFixture.withCustomer { fixture, customer, api in
            _ = try await api.draft()
            let before = try await fixture.state(customer.account)
            try await api.delete("/v1/domains/shop.example").expectProblem(409, "domain_in_use")
            #expect(try await fixture.state(customer.account) == before)
        }
    }
}
