import Foundation
import Postgres
package import Webhooks

/// The body of `POST /v1/webhooks`.
struct WebhookPayload: StrictPayload {
    let url: String
    /// All where they are not named.
    let events: [String]?
    let batchSize: Int?
    let description: String?

    enum CodingKeys: String, CodingKey, CaseIterable {
        case url, events, description
        case batchSize = "batch_size"
    }

    /// - Throws: ``Problem``
    func types() throws -> WebhookEventTypes { try events.map(WebhookEventTypes.init(names:)) ?? .all }
}

/// The body of `PATCH /v1/webhooks/{id}`.
struct WebhookChangePayload: StrictPayload {
    let url: String?
    let events: [String]?
    let batchSize: Int?
    let description: String?
    let state: String?

    enum CodingKeys: String, CodingKey, CaseIterable {
        case url, events, description, state
        case batchSize = "batch_size"
    }

    /// - Throws: ``Problem``
    func change() throws -> WebhookEndpoints.Change {
        var change = WebhookEndpoints.Change()
        change.url = url
        change.types = try events.map(WebhookEventTypes.init(names:))
        change.batchSize = batchSize
        change.description = description
        if let state {
            guard ["active", "disabled"].contains(state) else {
                throw Problem.invalid("invalid_field", "The state is active or disabled.", fields: ["state"])
            }
            change.isActive = state == "active"
        }
        return change
    }
}

/// The body of `POST /v1/webhooks/{id}/rotate`.
struct WebhookRotationPayload: StrictPayload {
    let overlapSeconds: Int64?

    enum CodingKeys: String, CodingKey, CaseIterable {
        case overlapSeconds = "overlap_seconds"
    }

    var overlap: Int64 { overlapSeconds ?? WebhookLimits.overlapSeconds }
}

/// The body of `POST /v1/webhooks/{id}/replay`.
struct WebhookReplayPayload: StrictPayload {
    let event: String?
    let since: String?

    enum CodingKeys: String, CodingKey, CaseIterable {
        case event, since
    }

    /// - Throws: ``Problem``
    func replay() throws -> WebhookEndpoints.Replay {
        switch (event, since) {
        case (let event?, nil): return .event(event)
        case (nil, let since?):
            guard let time = InternetTime.date(since) else {
                throw Problem.invalid(
                    "invalid_field", "since is a time such as 2026-02-03T04:05:06Z.", fields: ["since"])
            }
            return .since(PostgresTimestamp(microseconds: Int64(time.timeIntervalSince1970 * 1_000_000)))
        default:
            throw Problem.invalid("invalid_field", "Name either event or since.", fields: ["event", "since"])
        }
    }
}

extension WebhookEventTypes {
    /// - Throws: ``Problem``
    fileprivate init(names: [String]) throws {
        guard (1...64).contains(names.count) else {
            throw Problem.invalid("invalid_events", "Name at least one event.", fields: ["events"])
        }
        self.init(
            try names.map { name in
                guard let type = WebhookEventType(name: name) else {
                    throw Problem.invalid("invalid_events", "There is no such event.", fields: ["events"])
                }
                return type
            })
    }
}

extension WebhookEndpoint {
    /// - Parameter secret: shown once, when it is made.
    package func json(secret: WebhookSecret? = nil) -> String {
        var json = JSONText()
        json.beginObject()
        json.member("id", id.description)
        json.member("url", url)
        json.member("events", types.types.map(\.name))
        json.member("batch_size", Int64(batchSize))
        json.member("description", description)
        json.member("state", disabledReason == nil ? "active" : "disabled")
        json.member("disabled_reason", disabledReason)
        if let secret { json.member("secret", secret.text) }
        json.member("previous_secret_until", previousSecretUntil.map(Timestamp.text))
        json.member("created_at", createdAt.text)
        json.member("failing_since", failingSince?.text)
        json.key("counters")
        json.beginObject()
        json.member("delivered", delivered)
        json.member("failed_attempts", failed)
        json.member("dropped", dropped)
        json.endObject()
        json.endObject()
        return json.text
    }
}

extension WebhookAttempt {
    package var json: String {
        var json = JSONText()
        json.beginObject()
        json.member("message", message)
        json.member("attempt", Int64(attempt))
        json.member("events", Int64(events))
        json.member("status", status.map { Int64($0) })
        json.member("error", error)
        json.member("milliseconds", Int64(milliseconds))
        json.member("attempted_at", attemptedAt.text)
        json.endObject()
        return json.text
    }
}
