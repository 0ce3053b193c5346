/// Why an operation on webhooks was refused. The detail is for people.
package struct WebhookError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Stable names for programs.
    package enum Code: String, Sendable, Hashable, CaseIterable {
        case notFound = "not_found"
        case tooManyWebhooks = "too_many_webhooks"
        case invalidURL = "invalid_url"
        /// The address is not one of the public Internet.
        case privateDestination = "private_destination"
        case invalidEvents = "invalid_events"
        case invalidDescription = "invalid_description"
        case invalidBatchSize = "invalid_batch_size"
        case invalidOverlap = "invalid_overlap"
        /// Nothing is sent to an endpoint that is disabled.
        case webhookDisabled = "webhook_disabled"
        /// The event is no longer kept.
        case eventNotFound = "event_not_found"
        /// A stored value cannot be read.
        case malformedRecord = "malformed_record"
    }

    package let code: Code
    package let detail: String

    package init(_ code: Code, _ detail: String) {
        self.code = code
        self.detail = detail
    }

    package var description: String { detail }

    static let notFound = WebhookError(.notFound, "there is no such webhook")
    static let malformed = WebhookError(.malformedRecord, "a stored value cannot be read")
}
