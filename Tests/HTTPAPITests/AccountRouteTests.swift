import Testing

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
                #"{"addresses": ["Ada@Example.org", "ada@example.org", "bo@example.org"], "reason": "complaint", "note": "by phone"}"#
            )
            #expect((added.status, added.text) == (200, #"{"added":2,"already_listed":1,"invalid":0,"errors":[]}"#))
            let again = try await api.post("/v1/suppressions", #"{"addresses": ["bo@example.org", "cy@example.org"]}"#)
            #expect(again.text == #"{"added":1,"already_listed":1,"invalid":0,"errors":[]}"#)

            let found = try await api.get("/v1/suppressions?address=ADA@example.org").json["data"]
            #expect(found.elements.count == 1)
            #expect(found[0]["reason"] == "complaint")
            #expect(found[0]["origin"] == "customer")
            #expect(found[0]["note"] == "by phone")
            let list = try await api.get("/v1/suppressions")
            #expect(list.json["data"].elements.count == 3)
            #expect(!list.text.contains("@"), "the list tells fingerprints, not addresses")

            let removed = try await api.delete("/v1/suppressions/ada@example.org")
            #expect((removed.status, removed.text) == (204, ""))
            removed.expectHeaders()
            try await api.delete("/v1/suppressions/ada@example.org").expectProblem(404, "not_found")
            #expect(try await api.get("/v1/suppressions?address=ada@example.org").json["data"] == [])
            #expect(try await fixture.count("suppressions", customer.account) == 2)
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
