import Testing

/// Tags of the message against the columns of the recipients, before anything is sent.
struct MissingVariableTests {
    private static func draft(_ members: String) -> String {
        #"{"from": "Shop <news@shop.example>", "subject": "Hi {{Given}}", "text": "News from {{city}}, {{name|friend}}"\#(members)}"#
    }

    private static func people(_ count: Int) -> String {
        "email,name,town\n" + (0..<count).map { "p\($0)@example.org,P\($0),Oslo\n" }.joined()
    }

    private func campaign(_ api: API, _ members: String = "", recipients: String) async throws -> (String, Answer) {
        let id = try #require(try await api.post("/v1/campaigns", Self.draft(members)).json["id"].string)
        return (id, try await api.upload(id, recipients, type: "text/csv"))
    }

    @Test(arguments: [1, 5, 1_234])
    func `upload, quote and a refused send tell which tags lack values, and for how many`(_ count: Int) async throws {
        try await APIFixture.withCustomer(credits: 10_000) { fixture, customer, api in
            let (id, upload) = try await campaign(api, recipients: Self.people(count))
            let expected = JSON.object(["Given": .number(Double(count)), "city": .number(Double(count))])
            #expect(upload.json["accepted"] == .number(Double(count)))
            #expect(upload.json["missing_variables"] == expected)
            let quote = try await api.get("/v1/campaigns/\(id)/quote")
            #expect(quote.json["deliverable"] == 0)
            #expect(quote.json["invalid"] == .number(Double(count)))
            #expect(quote.json["missing_variables"] == expected)
            let before = try await fixture.state(customer.account)
            let refused = try await api.post("/v1/campaigns/\(id)/send")
            refused.expectProblem(409, "missing_variables")
            #expect(refused.json["missing_variables"] == expected)
            #expect(refused.json["recipients"] == .number(Double(count)))
            #expect(try await fixture.state(customer.account) == before)
        }
    }

    @Test(arguments: [
        (#", "missing_variables": "skip""#, "", 2), (#", "missing_variables": "invalid""#, "", 2),
        (#", "missing_variables": "empty""#, "", 4), ("", #"{"missing_variables": "skip"}"#, 2),
        ("", #"{"missing_variables": "empty"}"#, 2),
        (#", "missing_variables": "refuse""#, #"{"missing_variables": "skip"}"#, 2),
    ])
    func `it stays possible to send on purpose`(_ members: String, _ body: String, _ deliverable: Int) async throws {
        try await APIFixture.withCustomer { _, _, api in
            let rows =
                "email,Given,city\na@example.org,A,Oslo\nb@example.org,B,\nc@example.org,C,Rome\nd@example.org,D,Bern\n"
            let (id, upload) = try await campaign(api, members, recipients: rows)
            // An empty cell is a value: nobody of these lacks anything.
            #expect(upload.json["missing_variables"] == .object([:]))
            let more = try await api.upload(id, #"{"email": "e@example.org", "vars": {"Given": "E"}}"# + "\n")
            #expect(more.json["missing_variables"] == .object(["city": 1]))
            _ = try await api.upload(id, #"{"email": "f@example.org", "vars": {"Given": null, "city": ["x"]}}"# + "\n")
            let quote = try await api.get("/v1/campaigns/\(id)/quote")
            #expect(quote.json["missing_variables"] == .object(["Given": 1, "city": 2]))
            let isEmpty = members.contains("empty")
            #expect(quote.json["deliverable"] == (isEmpty ? 6 : 4))
            #expect(quote.json["invalid"] == (isEmpty ? 0 : 2))
            let sent = try await api.post("/v1/campaigns/\(id)/send", body.isEmpty ? nil : body)
            #expect(sent.status == 202)
        }
    }

    @Test func `a send on purpose may also be taken back`() async throws {
        try await APIFixture.withCustomer { _, _, api in
            let (id, _) = try await campaign(api, #", "missing_variables": "empty""#, recipients: Self.people(2))
            try await api.post("/v1/campaigns/\(id)/send", #"{"missing_variables": "refuse"}"#)
                .expectProblem(409, "missing_variables")
            #expect(try await api.post("/v1/campaigns/\(id)/send").status == 202)
        }
    }

    @Test func `suppressed recipients and duplicates count for nothing`() async throws {
        try await APIFixture.withCustomer { _, _, api in
            _ = try await api.post("/v1/suppressions", #"{"addresses": ["p0@example.org"]}"#)
            let (id, upload) = try await campaign(api, recipients: Self.people(3) + "p1@example.org,Again,Oslo\n")
            #expect(upload.json["missing_variables"] == .object(["Given": 2, "city": 2]))
            let quote = try await api.get("/v1/campaigns/\(id)/quote")
            #expect(quote.json["suppressed"] == 1)
            #expect(quote.json["invalid"] == 2)
            #expect(quote.json["deliverable"] == 0)
        }
    }
}
