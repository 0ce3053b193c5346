import Foundation

/// An integer of a payload. `JSONDecoder` refuses a number that is none, or too large, with an error of its own that in
/// the end says that the whole body is not JSON; this refuses it as the value of its field.
struct WholeNumber: Decodable {
    let value: Int

    init(from decoder: any Decoder) throws {
        do {
            value = try decoder.singleValueContainer().decode(Int.self)
        } catch let error as DecodingError {
            throw error
        } catch {
            throw DecodingError.dataCorrupted(.init(codingPath: decoder.codingPath, debugDescription: "no Int"))
        }
    }
}
