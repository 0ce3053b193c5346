import MailMessage
package import SendingDomains

extension DomainReport {
    /// As `GET /v1/domains/{domain}/reports` tells it.
    package var json: String {
        var json = JSONText()
        json.beginObject()
        json.member("kind", kind.rawValue)
        json.member("organization", organization)
        json.member("report_id", id)
        json.member("begin", Timestamp.text(begin))
        json.member("end", Timestamp.text(end))
        json.member("good", good)
        json.member("bad", bad)
        json.key("rows")
        json.beginArray()
        for row in rows {
            json.beginObject()
            json.member("source", row.source)
            json.member("count", row.count)
            json.member("good", row.isGood)
            json.member("detail", row.detail.isEmpty ? nil : row.detail)
            json.endObject()
        }
        json.endArray()
        json.member("received_at", Timestamp.text(receivedAt))
        json.endObject()
        return json.text
    }
}
