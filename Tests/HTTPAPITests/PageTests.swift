import CreditLedger
import Postgres
import Testing

@Suite struct PageTests {
    /// All pages of a list, with what each held.
    private func pages(_ api: API, _ path: String, limit: Int, member: String) async throws -> [[JSON]] {
        var pages: [[JSON]] = []
        var next: String?
        repeat {
            let separator = path.contains("?") ? "&" : "?"
            let after = next.map { "&after=\($0)" } ?? ""
            let answer = try await api.get("\(path)\(separator)limit=\(limit)\(after)")
            guard answer.status == 200, pages.count < 50 else { throw Unexpected(answer: answer) }
            pages.append(answer.json["data"].elements.map { $0[member] })
            next = answer.json["next"].string
        } while next != nil
        return pages
    }

    @Test func `campaigns come newest first, each once`() async throws {
        try await APIFixture.withCustomer { _, _, api in
            var ids: [JSON] = []
            for _ in 0..<7 { ids.append(.text(try await api.draft())) }
            let pages = try await pages(api, "/v1/campaigns", limit: 3, member: "id")
            // Ids made within one millisecond are in no order of their own.
            #expect(pages.flatMap { $0 }.compactMap(\.string) == ids.compactMap(\.string).sorted(by: >))
            #expect(pages.dropLast().allSatisfy { $0.count == 3 })
        }
    }

    @Test func `recipients come in the order of the upload, each once`() async throws {
        try await APIFixture.withCustomer(credits: 5_000) { _, _, api in
            let id = try await api.draft(2_500)
            let pages = try await pages(api, "/v1/campaigns/\(id)/recipients", limit: 700, member: "email")
            #expect(pages.flatMap { $0 } == (0..<2_500).map { .text("person\($0)@example.org") })
            let bounced = try await self.pages(
                api, "/v1/campaigns/\(id)/recipients?outcome=bounced", limit: 700, member: "email")
            #expect(bounced.flatMap { $0 }.isEmpty)
        }
    }

    @Test func `ledger entries come newest first, each once`() async throws {
        try await APIFixture.withCustomer { fixture, customer, api in
            for number in 0..<6 {
                try await fixture.grant(1, to: customer.account, key: "more-\(number)")
            }
            let pages = try await pages(api, "/v1/credits/entries", limit: 2, member: "number")
            #expect(pages.flatMap { $0 }.map(\.integer) == [7, 6, 5, 4, 3, 2, 1])
        }
    }

    @Test func `suppressions come newest first, each once`() async throws {
        try await APIFixture.withCustomer { _, _, api in
            for start in [0, 3, 6] {
                let addresses = (start..<start + 3).map { "\"s\($0)@example.org\"" }.joined(separator: ",")
                _ = try await api.post("/v1/suppressions", "{\"addresses\": [\(addresses)]}")
            }
            let pages = try await pages(api, "/v1/suppressions", limit: 4, member: "fingerprint")
            let all = pages.flatMap { $0 }.compactMap(\.string)
            #expect(all.count == 9)
            #expect(Set(all).count == 9)
        }
    }

    @Test(arguments: ["/v1/campaigns", "/v1/credits/entries", "/v1/suppressions", "/v1/campaigns/ID/recipients"])
    func `wrong limits and cursors are refused`(_ path: String) async throws {
        try await APIFixture.withCustomer { _, _, api in
            let path = path.replacing("ID", with: try await api.draft(1))
            for limit in ["0", "-1", "1001", "many", "", "99999999999999999999", "1.5"] {
                let answer = try await api.get("\(path)?limit=\(limit)")
                answer.expectProblem(422, "invalid_field")
                #expect(answer.json["fields"] == ["limit"])
            }
            for cursor in ["x", "", "%00", "1-1-1", "99999999999999999999", "-1-5", "cmp_x", "ffffffffffffffff"] {
                let answer = try await api.get("\(path)?after=\(cursor)")
                answer.expectProblem(400, "invalid_cursor")
            }
            #expect(try await api.get("\(path)?limit=1000").status == 200)
        }
    }

    @Test func `an unknown outcome is refused`() async throws {
        try await APIFixture.withCustomer { _, _, api in
            let id = try await api.draft(1)
            let answer = try await api.get("/v1/campaigns/\(id)/recipients?outcome=lost")
            answer.expectProblem(422, "invalid_field")
            #expect(answer.json["fields"] == ["outcome"])
        }
    }
}

extension JSON: ExpressibleByArrayLiteral {
    init(arrayLiteral elements: JSON...) { self = .list(elements) }
}
