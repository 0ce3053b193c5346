import Campaigns
import Foundation
import HTTPTypes
import MailMessage
import MailTypes
import TestSupport
import Testing

/// The cases of `fixtures/requests`: what a customer sends, and what must come of it.
@Suite struct FieldCasesTests {
    struct Case: Sendable, CustomTestStringConvertible {
        /// The folder's.
        let name: String
        let expected: JSON

        var testDescription: String { name }

        func file(_ name: String) -> [UInt8]? {
            let path = ProjectFolder.path + "/fixtures/requests/\(self.name)/\(name)"
            return FileManager.default.contents(atPath: path).map { Array($0) }
        }
    }

    static let cases = Fixtures.all("requests", "/expected.json").map { fixture in
        do {
            return Case(name: fixture.name, expected: try JSON(parsing: fixture.text))
        } catch {
            preconditionFailure("\(fixture.name)/expected.json is not JSON")
        }
    }

    @Test(arguments: cases) func `a customer's case comes out as its folder says`(_ example: Case) async throws {
        try await APIFixture.withOwnDatabase { fixture, customer, api in
            if let body = example.file("suppressions.json") { try await suppress(body, example, api) }
            guard let body = example.file("campaign.json") else { return }
            let created = try await api.call(.post, "/v1/campaigns", bytes: body)
            guard let id = check(created, "create", 201, example)["id"].string,
                try await upload(to: id, example, api)
            else { return }
            let quote = try await api.get("/v1/campaigns/\(id)/quote")
            _ = check(quote, "quote", 200, example)
            let sent = try await api.call(.post, "/v1/campaigns/\(id)/send", bytes: example.file("send.json"))
            guard check(sent, "send", 202, example)["state"].string != nil else { return }
            try await checkMails(example, fixture)
        }
    }

    /// - Returns: whether the list was taken.
    private func upload(to id: String, _ example: Case, _ api: API) async throws -> Bool {
        for (ending, type) in [("csv", "text/csv"), ("ndjson", "application/x-ndjson")] {
            guard let people = example.file("people." + ending) else { continue }
            let said = example.file("content-type.txt").map {
                String(decoding: $0, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
            }
            let answer = try await api.call(
                .post, "/v1/campaigns/\(id)/recipients", bytes: people, type: said ?? type)
            guard check(answer, "upload", 200, example)["accepted"].integer != nil else { return false }
            return true
        }
        return false
    }

    private func suppress(_ body: [UInt8], _ example: Case, _ api: API) async throws {
        _ = check(try await api.call(.post, "/v1/suppressions", bytes: body), "suppressions", 200, example)
        for address in example.expected["suppressed"].elements.compactMap(\.string) {
            let found = try await api.get("/v1/suppressions?address=\(address)")
            #expect(found.json["data"].elements.count == 1, "\(address) is not listed")
        }
    }

    /// Every mail that would leave, against what the case says of it.
    private func checkMails(_ example: Case, _ fixture: APIFixture) async throws {
        guard case .object(let expected) = example.expected["mails"] else { return }
        var mails: [String: String] = [:]
        for batch in try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 8) {
            let sendable = try await fixture.store.sendable(batch.id.account, batch.id.campaign)
            let message = try CompiledMessage(sendable.content)
            for record in batch.records {
                var rendered = RenderedMessage()
                try message.render(
                    MergeRecipient(address: record.address, name: record.name, variables: record.variables),
                    MessageEnvelopeFields(messageID: "1@shop.example", date: 0), into: &rendered)
                mails[record.address.text] = String(decoding: rendered.bytes, as: UTF8.self).replacing(
                    "\r\n", with: "\n")
            }
        }
        #expect(Set(mails.keys) == Set(expected.keys))
        for (address, part) in expected {
            let mail = mails[address] ?? ""
            for text in part["holds"].elements.compactMap(\.string) {
                #expect(mail.contains(text), "the mail to \(address) lacks \(text.debugDescription): \(mail)")
            }
            for text in part["lacks"].elements.compactMap(\.string) {
                #expect(!mail.contains(text), "the mail to \(address) holds \(text.debugDescription): \(mail)")
            }
        }
    }

    /// Compares an answer with what the case says of this step, or with success where it says nothing.
    ///
    /// - Returns: the answer's JSON.
    private func check(_ answer: Answer, _ step: String, _ success: Int, _ example: Case) -> JSON {
        let expected = example.expected[step]
        #expect(answer.status == expected["status"].integer ?? success, "\(step): \(answer.text)")
        for name in expected.names.subtracting(["status", "says"]) {
            #expect(answer.json[name].holds(expected[name]), "\(step), \(name): \(answer.text)")
        }
        for text in expected["says"].elements.compactMap(\.string) {
            #expect(answer.json["detail"].string?.contains(text) == true, "\(step) lacks \(text): \(answer.text)")
        }
        return answer.json
    }
}

extension JSON {
    /// Whether all that `expected` says is so here; objects may have more members. `reasonSays` is a part of `reason`.
    func holds(_ expected: JSON) -> Bool {
        switch expected {
        case .list(let elements):
            self.elements.count == elements.count && zip(self.elements, elements).allSatisfy { $0.holds($1) }
        case .object(let members) where members.isEmpty: self == expected
        case .object(let members):
            members.allSatisfy { name, value in
                name == "reasonSays"
                    ? value.elements.allSatisfy { self["reason"].string?.contains($0.string ?? "") == true }
                    : self[name].holds(value)
            }
        default: self == expected
        }
    }
}
