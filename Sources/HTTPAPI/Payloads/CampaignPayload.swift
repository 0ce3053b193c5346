import Campaigns
import Foundation
import MailMessage
import MailTypes

/// The body of `POST /v1/campaigns`.
struct CampaignPayload: StrictPayload {
    let from: String
    let subject: String
    let html: String?
    let text: String?
    let replyTo: [String]?
    let headers: [String: String]?
    let attachments: [AttachmentPayload]?
    let inDoubt: String?
    let missingVariables: String?
    let expirySeconds: Int?

    enum CodingKeys: String, CodingKey, CaseIterable {
        case from, subject, html, text
        case replyTo = "reply_to"
        case headers, attachments
        case inDoubt = "in_doubt"
        case missingVariables = "missing_variables"
        case expirySeconds = "expiry_seconds"
    }

    struct AttachmentPayload: Decodable {
        let filename: String
        let content: String
        let contentType: String?
        let contentID: String?

        enum CodingKeys: String, CodingKey {
            case filename, content
            case contentType = "content_type"
            case contentID = "content_id"
        }
    }

    func request() throws -> CampaignRequest {
        let content = MessageContent(
            from: try Mailbox.parse(from), replyTo: try (replyTo ?? []).map(Mailbox.parse), subject: subject,
            html: html, text: text, headers: (headers ?? [:]).sorted { $0.key < $1.key }.map { ($0.key, $0.value) },
            attachments: try (attachments ?? []).enumerated().map(attachment),
            missingVariables: try missingVariablePolicy())
        return CampaignRequest(
            content: content, inDoubt: try inDoubtPolicy(),
            expirySeconds: expirySeconds ?? CampaignLimits.defaultExpirySeconds)
    }

    private func attachment(_ index: Int, _ payload: AttachmentPayload) throws -> Attachment {
        guard let content = Data(base64Encoded: payload.content) else {
            throw Problem.invalid(
                "invalid_base64", "The content of an attachment is not base64.",
                fields: ["attachments.\(index).content"])
        }
        return Attachment(
            filename: payload.filename, contentType: payload.contentType ?? "application/octet-stream",
            content: Array(content), contentID: payload.contentID)
    }

    private func inDoubtPolicy() throws -> InDoubtPolicy {
        switch inDoubt {
        case nil, "resend": return .resend
        case "skip": return .skip
        default: throw Problem.invalid("invalid_field", "in_doubt is resend or skip.", fields: ["in_doubt"])
        }
    }

    private func missingVariablePolicy() throws -> MissingVariablePolicy {
        switch missingVariables {
        case nil, "invalid": return .invalid
        case "empty": return .empty
        default:
            throw Problem.invalid(
                "invalid_field", "missing_variables is invalid or empty.", fields: ["missing_variables"])
        }
    }
}

/// The body of `POST /v1/campaigns/{id}/send`; may be empty.
struct SendPayload: StrictPayload {
    /// RFC 3339, up to a year ahead.
    let scheduledAt: String?

    enum CodingKeys: String, CodingKey, CaseIterable {
        case scheduledAt = "scheduled_at"
    }

    func scheduledSeconds(now: Date) throws -> Int64? {
        guard let scheduledAt else { return nil }
        let formatter = ISO8601DateFormatter()
        let fractional = ISO8601DateFormatter()
        fractional.formatOptions = [.withInternetDateTime, .withFractionalSeconds]
        guard let date = formatter.date(from: scheduledAt) ?? fractional.date(from: scheduledAt) else {
            throw Problem.invalid(
                "invalid_field", "scheduled_at is not an RFC 3339 time such as 2026-11-21T08:00:00Z.",
                fields: ["scheduled_at"])
        }
        guard date < now.addingTimeInterval(366 * 86_400) else {
            throw Problem.invalid("invalid_field", "scheduled_at is over a year ahead.", fields: ["scheduled_at"])
        }
        return date <= now ? nil : Int64(date.timeIntervalSince1970.rounded(.up))
    }
}

struct SuppressionPayload: StrictPayload {
    let addresses: [String]
    let reason: String?
    let note: String?

    enum CodingKeys: String, CodingKey, CaseIterable {
        case addresses, reason, note
    }

    /// - Throws: a problem that names the position, not the address.
    func parsedAddresses() throws -> [EmailAddress] {
        guard addresses.count <= APILimits.suppressionsPerCall else {
            throw Problem.invalid(
                "too_many_addresses", "At most \(APILimits.suppressionsPerCall) addresses a call.",
                fields: ["addresses"])
        }
        return try addresses.enumerated().map { index, text in
            do throws(AddressError) {
                return try EmailAddress(text)
            } catch {
                throw Problem.invalid(error.code, "\(error).", fields: ["addresses.\(index)"])
            }
        }
    }
}

struct DomainPayload: StrictPayload {
    let domain: String
    let selector: String?
    let ed25519: Bool?

    enum CodingKeys: String, CodingKey, CaseIterable {
        case domain, selector, ed25519
    }
}
