import Foundation

/// A campaign as a customer writes it, for the HTTP API.
struct CampaignDraft: Encodable {
    struct Attachment: Encodable {
        let filename: String
        let contentType: String
        let content: Data
        var contentID: String?

        enum CodingKeys: String, CodingKey {
            case filename, content
            case contentType = "content_type"
            case contentID = "content_id"
        }
    }

    var from: String
    var subject: String
    var html: String?
    var text: String?
    var replyTo: [String]?
    var headers: [String: String]?
    var attachments: [Attachment]?
    var missingVariables: String?
    var textPart: String?

    enum CodingKeys: String, CodingKey {
        case from, subject, html, text
        case replyTo = "reply_to"
        case headers, attachments
        case missingVariables = "missing_variables"
        case textPart = "text_part"
    }
}

/// The file of recipients that goes with it.
enum RecipientFile {
    case ndjson([RecipientLine])
    case csv(String)
}

struct RecipientLine: Encodable {
    let email: String
    var name: String?
    var vars: [String: MergeField] = [:]
}

enum MergeField: Encodable, ExpressibleByStringLiteral, ExpressibleByStringInterpolation {
    case text(String)
    case flag(Bool)
    case null
    case list([MergeField])
    case object([String: MergeField])

    init(stringLiteral value: String) { self = .text(value) }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .text(let text): try container.encode(text)
        case .flag(let flag): try container.encode(flag)
        case .null: try container.encodeNil()
        case .list(let list): try container.encode(list)
        case .object(let object): try container.encode(object)
        }
    }
}

extension Installation {
    /// Creates a campaign through the API, adds its recipients, all of whom must be taken, and sends it.
    ///
    /// - Returns: its id.
    func submit(_ draft: CampaignDraft, _ recipients: RecipientFile) throws -> String {
        struct Created: Decodable {
            let id: String
        }
        let created = try JSONDecoder().decode(
            Created.self, from: post("/v1/campaigns", "application/json", JSONEncoder().encode(draft)))

        let body: Data
        let type: String
        switch recipients {
        case .ndjson(let lines):
            body = try Data(lines.map { try JSONEncoder().encode($0) }.joined(separator: Data("\n".utf8)))
            type = "application/x-ndjson"
        case .csv(let text):
            body = Data(text.utf8)
            type = "text/csv"
        }
        struct Imported: Decodable {
            let duplicates, suppressed, invalid: Int
        }
        let answer = try post("/v1/campaigns/\(created.id)/recipients", type, body)
        let imported = try JSONDecoder().decode(Imported.self, from: answer)
        guard imported.duplicates == 0, imported.suppressed == 0, imported.invalid == 0 else {
            throw ProgramFailure(
                program: "curl", arguments: [draft.subject],
                finished: .init(
                    status: 0, output: String(decoding: answer, as: UTF8.self), errors: "lines were refused"))
        }
        _ = try post("/v1/campaigns/\(created.id)/send", "application/json", Data("{}".utf8))
        return created.id
    }

    /// - Throws: when the answer is not 2xx.
    func post(_ path: String, _ type: String, _ body: Data) throws -> Data {
        let file = "\(directory.path)/body-\(UInt32.random(in: 0 ..< .max))"
        try body.write(to: URL(fileURLWithPath: file))
        defer { try? FileManager.default.removeItem(atPath: file) }
        let output = try Programs.run(
            "/usr/bin/env",
            [
                "curl", "-sS", "--fail-with-body", "--max-time", "60", "-X", "POST", "-H", "Content-Type: \(type)",
                "-H", "Authorization: Bearer \(key)", "--data-binary", "@\(file)",
                "http://127.0.0.1:\(apiPort)\(path)",
            ])
        return Data(output.utf8)
    }
}
