import Foundation
import HTTPTypes

/// A request body whose unknown members are errors, so that a misspelt field never passes unnoticed.
protocol StrictPayload: Decodable {
    associatedtype CodingKeys: CodingKey, CaseIterable
}

enum StrictDecoding {
    static func decode<Payload: StrictPayload>(_ type: Payload.Type, from body: [UInt8]) throws -> Payload {
        do {
            let decoder = JSONDecoder()
            let data = Data(body)
            let known = Set(Payload.CodingKeys.allCases.map(\.stringValue))
            let members = try decoder.decode(MemberNames.self, from: data).names
            let unknown = members.subtracting(known).sorted()
            guard unknown.isEmpty else {
                throw Problem.invalid(
                    "unknown_field", "The body holds a field that this call does not know.",
                    fields: unknown.map { String($0.prefix(64)) })
            }
            return try decoder.decode(Payload.self, from: data)
        } catch let error as DecodingError {
            throw Problem(error)
        }
    }

    private struct MemberNames: Decodable {
        let names: Set<String>

        init(from decoder: any Decoder) throws {
            names = Set(try decoder.container(keyedBy: AnyKey.self).allKeys.map(\.stringValue))
        }
    }

    private struct AnyKey: CodingKey {
        let stringValue: String
        let intValue: Int? = nil
        init?(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }
}

extension Problem {
    init(_ error: DecodingError) {
        func path(_ context: DecodingError.Context) -> String {
            context.codingPath.map { $0.intValue.map(String.init) ?? $0.stringValue }.joined(separator: ".")
        }
        switch error {
        case .keyNotFound(let key, let context):
            let prefix = path(context)
            let field = prefix.isEmpty ? key.stringValue : prefix + "." + key.stringValue
            self = .invalid("missing_field", "A field is missing.", fields: [field])
        case .typeMismatch(_, let context), .valueNotFound(_, let context):
            self = .invalid("invalid_field", "A field has the wrong type.", fields: [path(context)])
        case .dataCorrupted(let context) where !context.codingPath.isEmpty:
            self = .invalid("invalid_field", "A field has a value that cannot be read.", fields: [path(context)])
        default:
            self = Problem(.badRequest, "invalid_json", "The body is not valid JSON.")
        }
    }
}
