import Foundation

/// An integer of a payload. `JSONDecoder` refuses a number that is none, or too large, as if the whole body were not JSON;
/// this refuses it as the value of its field.
struct WholeNumber: Decodable {
    let value: Int

    init(from decoder: any Decoder) throws {
        do {
            value = try decoder.singleValueContainer().decode(Int.self)
        } catch DecodingError.dataCorrupted(let context) {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: context.debugDescription))
        }
    }
}
