import HTTPAPI
import OperatorAPI

extension OrderListing.Order {
    /// As the commands print it; `null` where there is no order.
    static func json(_ order: Self?) -> String {
        guard let order else { return "null" }
        var json = JSONText()
        json.beginObject()
        json.member("kind", order.kind)
        json.member("action", order.action)
        json.member("reason", order.reason)
        json.member("ends_at", order.endsAt)
        json.endObject()
        return json.text
    }
}
