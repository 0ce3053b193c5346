import MailSigning
import MailTypes
package import SendingDomains

extension SendingDomain {
    /// As `GET /v1/domains/{domain}` tells it.
    package var json: String {
        var json = JSONText()
        json.beginObject()
        json.member("domain", domain.text)
        json.member("state", standing.state.rawValue)
        json.member("sends", sends)
        json.member("covered_by", coveredBy?.text)
        json.member("verified_at", verifiedAt.map(Timestamp.text))
        json.member("checked_at", checkedAt.map(Timestamp.text))
        json.member("failing_since", standing.failingSince.map(Timestamp.text))
        json.member("stops_at", standing.stopsAt.map(Timestamp.text))
        json.member("selector", selector)
        json.key("keys")
        json.beginArray()
        for key in keys { json.value(raw: key.json) }
        json.endArray()
        json.member(
            "challenge",
            raw: record(DomainFinding.challenge, challenge.name, "TXT", challenge.value))
        json.key("records")
        json.beginArray()
        for advice in records {
            json.value(raw: record(advice.purpose.rawValue, advice.name, advice.type, advice.value))
        }
        json.endArray()
        json.endObject()
        return json.text
    }

    /// What to publish, with what was found.
    private func record(_ purpose: String, _ name: String, _ type: String, _ value: String) -> String {
        let finding = finding(purpose, at: name)
        var json = JSONText()
        json.beginObject()
        json.member("purpose", purpose)
        json.member("name", name)
        json.member("type", type)
        json.member("value", value)
        json.member("state", finding?.state.rawValue ?? "unchecked")
        json.member("seen", finding?.seen)
        json.member("note", finding?.note)
        json.endObject()
        return json.text
    }
}

extension SendingDomain.Key {
    fileprivate var json: String {
        var json = JSONText()
        json.beginObject()
        json.member("selector", selector)
        json.member("algorithm", algorithm.rawValue)
        json.member("role", role.rawValue)
        json.member("publish_until", publishedUntil.map(Timestamp.text))
        json.endObject()
        return json.text
    }
}
