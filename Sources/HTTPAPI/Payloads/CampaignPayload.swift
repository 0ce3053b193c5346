import Campaigns
import Foundation
import HTTPTypes
import MailMessage
import MailTypes

/// The body of `POST /v1/campaigns`.
struct CampaignPayload: StrictPayload {
    let from: String
    let subject: String
    let html: String?
    let text: String?
    let textPart: String?
    let replyTo: [String]?
    let headers: [String: String]?
    let listUnsubscribe: [String]?
    let unsubscribe: String?
    let attachments: [Strict<AttachmentPayload>]?
    let inDoubt: String?
    let requireTLS: Bool?
    let sourcePool: String?
    let missingVariables: String?
    let expirySeconds: WholeNumber?
    let ratePerHour: WholeNumber?
    let resultsFor: WholeNumber?

    enum CodingKeys: String, CodingKey, CaseIterable {
        case from, subject, html, text
        case textPart = "text_part"
        case replyTo = "reply_to"
        case headers, attachments
        case listUnsubscribe = "list_unsubscribe"
        case unsubscribe
        case inDoubt = "in_doubt"
        case requireTLS = "require_tls"
        case sourcePool = "source_pool"
        case missingVariables = "missing_variables"
        case expirySeconds = "expiry_seconds"
        case ratePerHour = "rate_per_hour"
        case resultsFor = "results_for"
    }

    /// - Throws: ``Problem``, which names the field where that is known.
    func request() throws -> CampaignRequest {
        let content = MessageContent(
            from: try mailbox(from, field: "from"),
            replyTo: try (replyTo ?? []).enumerated().map { try mailbox($1, field: "reply_to.\($0)") },
            subject: subject, html: html, text: text,
            headers: (headers ?? [:]).sorted { $0.key < $1.key }.map { ($0.key, $0.value) },
            listUnsubscribe: listUnsubscribe ?? [],
            unsubscribing: try unsubscribePolicy(),
            attachments: try (attachments ?? []).enumerated().map { try $1.value.attachment(index: $0) },
            missingVariables: try missingVariablePolicy(),
            textPart: try textPartPolicy())
        return CampaignRequest(
            content: content, inDoubt: try inDoubtPolicy(), requiresTLS: requireTLS ?? false,
            sourcePool: sourcePool, expirySeconds: try expiry(), ratePerHour: try rate(),
            resultsFor: try keepingTime())
    }

    private func mailbox(_ text: String, field: String) throws -> Mailbox {
        do throws(MessageError) {
            return try Mailbox.parse(text)
        } catch {
            throw Problem(error, field: field)
        }
    }

    private func expiry() throws -> Int {
        guard let seconds = expirySeconds?.value else { return CampaignLimits.defaultExpirySeconds }
        let range = CampaignLimits.expirySeconds
        guard range.contains(seconds) else {
            throw Problem.invalid(
                "invalid_field", "expiry_seconds lies between \(range.lowerBound) and \(range.upperBound).",
                fields: ["expiry_seconds"])
        }
        return seconds
    }

    private func rate() throws -> Int? {
        guard let rate = ratePerHour?.value else { return nil }
        let range = CampaignLimits.ratePerHour
        guard range.contains(rate) else {
            throw Problem.invalid(
                "invalid_field", "rate_per_hour lies between \(range.lowerBound) and \(range.upperBound).",
                fields: ["rate_per_hour"])
        }
        return rate
    }

    private func keepingTime() throws -> Int? {
        guard let seconds = resultsFor?.value else { return nil }
        let range = CampaignLimits.resultsSeconds
        guard range.contains(seconds) else {
            throw Problem.invalid(
                "invalid_field", "results_for lies between \(range.lowerBound) and \(range.upperBound).",
                fields: ["results_for"])
        }
        return seconds
    }

    private func inDoubtPolicy() throws -> InDoubtPolicy {
        switch inDoubt {
        case nil, "resend": return .resend
        case "skip": return .skip
        default: throw Problem.invalid("invalid_field", "in_doubt is resend or skip.", fields: ["in_doubt"])
        }
    }

    private func textPartPolicy() throws -> TextPartPolicy {
        guard let textPart else { return .automatic }
        guard let policy = TextPartPolicy(rawValue: textPart) else {
            throw Problem.invalid("invalid_field", "text_part is auto or none.", fields: ["text_part"])
        }
        return policy
    }

    private func unsubscribePolicy() throws -> UnsubscribePolicy {
        guard let unsubscribe else { return .server }
        guard let policy = UnsubscribePolicy(rawValue: unsubscribe) else {
            throw Problem.invalid("invalid_field", "unsubscribe is server or own.", fields: ["unsubscribe"])
        }
        return policy
    }

    private func missingVariablePolicy() throws -> MissingVariablePolicy {
        try MissingVariablePolicy(named: missingVariables) ?? .refuse
    }
}

extension MissingVariablePolicy {
    /// By its name in the API; nil for none. `invalid` is the older name of `skip`.
    init?(named name: String?) throws {
        switch name {
        case nil: return nil
        case "refuse": self = .refuse
        case "skip", "invalid": self = .invalid
        case "empty": self = .empty
        default:
            throw Problem.invalid(
                "invalid_field", "missing_variables is refuse, skip or empty.", fields: ["missing_variables"])
        }
    }
}

/// A file or inline image of a campaign.
struct AttachmentPayload: StrictPayload {
    let filename: String
    /// Base64 (RFC 4648 §4).
    let content: String
    let contentType: String?
    let contentID: String?

    enum CodingKeys: String, CodingKey, CaseIterable {
        case filename, content
        case contentType = "content_type"
        case contentID = "content_id"
    }

    func attachment(index: Int) throws -> Attachment {
        guard let decoded = Data(base64Encoded: content) else {
            throw Problem.invalid(
                "invalid_base64", "The content of an attachment is not base64.",
                fields: ["attachments.\(index).content"])
        }
        return Attachment(
            filename: filename, contentType: contentType ?? "application/octet-stream", content: Array(decoded),
            contentID: contentID)
    }
}
