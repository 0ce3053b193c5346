import Foundation
import HTTPTypes

/// A part of a request whose unknown members are errors, so that a misspelt field never passes unnoticed.
protocol StrictPayload: Decodable {
    associatedtype CodingKeys: CodingKey, CaseIterable
}

enum StrictDecoding {
    /// - Throws: ``Problem``
    static func decode<Payload: StrictPayload>(_ type: Payload.Type, from body: [UInt8]) throws -> Payload {
        try JSONStructure.check(body)
        do {
            return try JSONDecoder().decode(Strict<Payload>.self, from: Data(body)).value
        } catch let error as DecodingError {
            throw Problem(error)
        }
    }
}

/// Decodes a payload after a look at the names of its members.
struct Strict<Payload: StrictPayload>: Decodable {
    let value: Payload

    init(from decoder: any Decoder) throws {
        let known = Set(Payload.CodingKeys.allCases.map(\.stringValue))
        let members = try decoder.container(keyedBy: AnyKey.self).allKeys.map(\.stringValue)
        let unknown = members.filter { !known.contains($0) }.sorted()
        guard unknown.isEmpty else {
            throw Problem.invalid(
                "unknown_field", "The body holds a field that this call does not know.",
                fields: unknown.prefix(10).map { decoder.codingPath.path(to: String($0.prefix(64))) })
        }
        value = try Payload(from: decoder)
    }

    private struct AnyKey: CodingKey {
        let stringValue: String
        let intValue: Int? = nil
        init?(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }
}

extension [any CodingKey] {
    /// Names and indexes joined by dots: `attachments.0.content`.
    fileprivate func path(to last: String? = nil) -> String {
        (map { $0.intValue.map(String.init) ?? $0.stringValue } + (last.map { [$0] } ?? [])).joined(separator: ".")
    }
}

extension Problem {
    init(_ error: DecodingError) {
        switch error {
        case .keyNotFound(let key, let context):
            self = .invalid(
                "missing_field", "A field is missing.", fields: [context.codingPath.path(to: key.stringValue)])
        case .typeMismatch(_, let context) where context.codingPath.isEmpty:
            self = .invalid("invalid_field", "The body is not a JSON object.")
        case .typeMismatch(_, let context), .valueNotFound(_, let context):
            self = .invalid("invalid_field", "A field has the wrong type.", fields: [context.codingPath.path()])
        case .dataCorrupted(let context) where !context.codingPath.isEmpty:
            self = .invalid(
                "invalid_field", "A field has a value that cannot be read.", fields: [context.codingPath.path()])
        default: self = .invalidJSON("The body is not valid JSON.")
        }
    }
}
