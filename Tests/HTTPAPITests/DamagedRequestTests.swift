import HTTPTypes
import TestSupport
import Testing

/// Requests that were right once and then had some octets changed. Whatever comes of them, it is not the server's fault.
@Suite struct DamagedRequestTests {
    private static let bodies: [(HTTPRequest.Method, String, String, String)] = [
        (
            .post, "/v1/campaigns", "application/json",
            #"{"from": "Shop <news@shop.example>", "subject": "Hi {{name|you}}", "html": "<p>{{#a}}{{b}}{{/a}}</p>", "#
                + #""headers": {"X-A": "{{c}}"}, "attachments": [{"filename": "a", "content": "SGVsbG8="}], "#
                + #""expiry_seconds": 3600, "in_doubt": "skip"}"#
        ),
        (.post, "/v1/campaigns/ID/recipients", "application/x-ndjson", API.lines(3)),
        (.post, "/v1/campaigns/ID/recipients", "text/csv", "email,name\n\"a@example.org\",\"A, B\"\nb@example.org,\n"),
        (.post, "/v1/campaigns/ID/send", "application/json", #"{"scheduled_at": "2026-11-21T08:00:00Z"}"#),
        (
            .post, "/v1/suppressions", "application/json",
            #"{"addresses": ["a@example.org", "\"q\"@b.example"], "reason": "manual", "note": "n"}"#
        ),
        (.get, "/v1/campaigns/ID/recipients?limit=5&after=1-2&outcome=pending", "", ""),
        (.get, "/v1/suppressions?address=a%40example.org&limit=3", "", ""),
        (.get, "/v1/credits/entries?after=5&limit=2", "", ""),
        (.delete, "/v1/suppressions/a%2Bb@example.org", "", ""),
        (.get, "/v1/domains/b%C3%BCcher.example", "", ""),
        (.post, "/u/abcdefghijklmnop", "application/x-www-form-urlencoded", "List-Unsubscribe=One-Click"),
    ]

    @Test(arguments: Seed.range(1..<9)) func `no request brings a server error`(seed: Seed) async throws {
        try await APIFixture.withCustomer { _, _, api in
            var generator = SeededGenerator(seed)
            for round in 0..<50 {
                let id = try await api.draft(1)
                guard let (method, path, type, body) = Self.bodies.randomElement(using: &generator) else { return }
                var bytes = Array(body.utf8)
                var target = Array(path.replacing("ID", with: id).utf8)
                if body.isEmpty || Int.random(in: 0..<4, using: &generator) == 0 {
                    Self.damage(&target, using: &generator)
                    // A request line cannot hold these, and the first octet is its own.
                    target = [UInt8(ascii: "/")] + target.dropFirst().map { (0x21...0x7E).contains($0) ? $0 : 0x25 }
                }
                Self.damage(&bytes, using: &generator)
                let answer = try await api.call(
                    method, String(decoding: target, as: UTF8.self), bytes: method == .post ? bytes : nil, type: type)
                #expect(answer.status < 500, "seed \(seed), round \(round): \(answer.text)")
                guard answer.status >= 400 else { continue }
                // Links in mails are opened by people.
                let isPage =
                    answer.headers[.contentType]?.hasPrefix("text/html") == true && target.starts(with: "/u/".utf8)
                if !isPage { answer.expectAnyProblem() }
            }
        }
    }

    private static func damage(_ bytes: inout [UInt8], using generator: inout SeededGenerator) {
        let sharp: [UInt8] = Array("\"\\{}[]:,%&=?/#\u{0}\r\n{{}}@.<>-".utf8) + [0x80, 0xC3, 0xFF, 0xED]
        for _ in 0..<Int.random(in: 1...4, using: &generator) {
            let position = Int.random(in: 0...bytes.count, using: &generator)
            switch Int.random(in: 0..<4, using: &generator) {
            case 0 where position < bytes.count: bytes.remove(at: position)
            case 1 where position < bytes.count: bytes[position] = sharp.randomElement(using: &generator) ?? 0
            case 2: bytes.removeSubrange(position...)
            default: bytes.insert(sharp.randomElement(using: &generator) ?? 0, at: position)
            }
        }
    }
}
