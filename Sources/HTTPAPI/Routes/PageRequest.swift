import HTTPTypes
import Hummingbird
import NIOCore

/// `?limit=…&after=…` and the page that answers it: `{"data": […], "next": cursor or null}`.
struct PageRequest {
    let limit: Int
    private let after: String?

    init(_ request: Request) throws {
        after = request.uri.queryParameters.get("after")
        guard let text = request.uri.queryParameters.get("limit") else {
            limit = APILimits.pageSize
            return
        }
        guard let number = Int(text), (1...APILimits.maximumPageSize).contains(number) else {
            throw Problem.invalid(
                "invalid_field", "limit lies between 1 and \(APILimits.maximumPageSize).", fields: ["limit"])
        }
        limit = number
    }

    /// Where the page starts; nil for the first one.
    func cursor<Cursor>(_ read: (String) -> Cursor?) throws -> Cursor? {
        guard let after else { return nil }
        guard let cursor = read(after) else {
            throw Problem(.badRequest, "invalid_cursor", "`after` is not a cursor of this list.", fields: ["after"])
        }
        return cursor
    }

    /// - Parameter items: complete JSON values.
    static func response(_ items: [String], next: String?) -> Response {
        var json = JSONText()
        json.beginObject()
        json.key("data")
        json.beginArray()
        for item in items { json.value(raw: item) }
        json.endArray()
        json.member("next", next)
        json.endObject()
        return Idempotency.Answer(status: .ok, body: json.text).response()
    }
}
