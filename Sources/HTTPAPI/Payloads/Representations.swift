package import Campaigns
package import CreditLedger
import Feedback
import Foundation
import MailTypes
package import Postgres
import Vault

// How records look in answers. The order of the members is part of the look; names and meanings are in docs/openapi.yaml.

extension CampaignStatus {
    /// As `GET /v1/campaigns/{id}` tells it.
    package var json: String {
        campaign.json(
            credits: credits, blocks: blocks, reasons: reasons, brake: .some(brake), warnings: warnings)
    }
}

extension Campaign {
    /// - Parameters:
    ///   - credits: nil leaves them out, as lists do.
    ///   - blocks: nil leaves them out, as lists do.
    ///   - reasons: nil leaves them out, as lists do.
    ///   - brake: nil leaves it out, as lists do.
    ///   - warnings: nil leaves them out, as all answers do but that to the sending.
    ///   - order: the operator's order, as JSON, for the operator's own lists; nil leaves it out.
    package func json(
        credits: CampaignCredits?, blocks: [CampaignBlock]? = nil, reasons: CampaignReasons? = nil,
        brake: CampaignBrake?? = nil, warnings: [ReachWarning]? = nil, order: String? = nil
    ) -> String {
        var json = JSONText()
        json.beginObject()
        json.member("id", id.description)
        json.member("state", state.rawValue)
        json.member("test", account.isTest)
        json.member("from_domain", fromDomain)
        json.member("in_doubt", inDoubt.rawValue)
        json.member("require_tls", requiresTLS)
        json.member("source_pool", sourcePool)
        json.member("expiry_seconds", Int64(expirySeconds))
        json.member("rate_per_hour", ratePerHour.map { Int64($0) })
        json.member("results_for", Int64(resultsSeconds))
        json.key("counters")
        json.beginObject()
        json.member("recipients", Int64(counters.recipients))
        json.member("pending", Int64(counters.pending))
        json.member("deferred", Int64(counters.deferred))
        for outcome in Outcome.allCases { json.member(outcome.name, Int64(counters[outcome])) }
        json.member("in_doubt_resent", Int64(counters.inDoubtResent))
        json.endObject()
        if let reasons { json.member("reasons", reasons) }
        if let credits {
            json.key("credits")
            json.beginObject()
            json.member("held", credits.held)
            json.member("charged", credits.charged)
            json.member("released", credits.released)
            json.member("refunded", credits.refunded)
            json.endObject()
        }
        json.member("created_at", Timestamp.text(createdAt))
        json.member("scheduled_at", scheduledAt.map(Timestamp.text))
        json.member("queued_at", queuedAt.map(Timestamp.text))
        json.member("started_at", startedAt.map(Timestamp.text))
        json.member("paused_at", pausedAt.map(Timestamp.text))
        json.member("pause_reason", pauseReason)
        if let blocks { json.member("blocks", blocks) }
        if let brake { json.member("brake", brake) }
        json.member("failed_at", failedAt.map(Timestamp.text))
        json.member("completed_at", completedAt.map(Timestamp.text))
        json.member("results_until", resultsUntil.map(Timestamp.text))
        json.member("purged_at", purgedAt.map(Timestamp.text))
        if let warnings { json.member("warnings", warnings) }
        if let order { json.member("order", raw: order) }
        json.endObject()
        return json.text
    }
}

/// RFC 3339 in UTC, to the second.
enum Timestamp {
    static func text(_ secondsSince1970: Int64) -> String {
        Date(timeIntervalSince1970: Double(secondsSince1970)).formatted(.iso8601)
    }

    /// To the millisecond.
    static func milliseconds(_ microsecondsSince1970: Int64) -> String {
        let seconds = microsecondsSince1970 / 1_000_000
        let milliseconds = String(1_000 + microsecondsSince1970 % 1_000_000 / 1_000).dropFirst()
        return "\(text(seconds).dropLast()).\(milliseconds)Z"
    }
}

extension PostgresTimestamp {
    /// RFC 3339 §5.6, to the second, in UTC.
    package var text: String { Timestamp.text(seconds) }
}

extension CampaignQuote {
    var json: String {
        var json = JSONText()
        json.beginObject()
        json.member("recipients", Int64(recipients))
        json.member("deliverable", Int64(deliverable))
        json.member("suppressed", Int64(suppressed))
        json.member("invalid", Int64(invalid))
        json.member("missing_variables", lacking)
        json.member("credits", credits)
        json.member("available", available)
        json.member("source_pool", sourcePool)
        json.member("source_pool_problem", sourcePoolProblem)
        json.member("warnings", warnings)
        json.endObject()
        return json.text
    }
}

extension JSONText {
    mutating func member(_ name: String, _ warnings: [ReachWarning]) {
        key(name)
        beginArray()
        for warning in warnings {
            beginObject()
            member("code", warning.code.rawValue)
            member("detail", warning.detail)
            member("recipients", Int64(warning.recipients))
            endObject()
        }
        endArray()
    }

    mutating func member(_ name: String, _ blocks: [CampaignBlock]) {
        key(name)
        beginArray()
        for block in blocks {
            beginObject()
            member("code", Int64(block.reply.code))
            member("enhanced", block.reply.enhanced?.description)
            member("text", block.text.isEmpty ? nil : block.text)
            member("count", Int64(block.count))
            member("first_at", Timestamp.text(block.firstAt))
            member("last_at", Timestamp.text(block.lastAt))
            endObject()
        }
        endArray()
    }
}

extension JSONText {
    mutating func member(_ name: String, _ brake: CampaignBrake?) {
        key(name)
        guard let brake else { return null() }
        beginObject()
        member("level", brake.level.name)
        member("cause", brake.cause.rawValue)
        member("of", brake.isOfAccount ? "account" : "campaign")
        member("provider", brake.provider)
        member("delivered", brake.counts.delivered)
        member("hard_bounces", brake.counts.hardBounces)
        member("complaints", brake.counts.complaints)
        member("since", Timestamp.text(brake.setAt))
        endObject()
    }

    /// By outcome, then by reason.
    mutating func member(_ name: String, _ reasons: CampaignReasons) {
        key(name)
        beginObject()
        for (outcome, counts) in reasons.counts.sorted(by: { $0.key.name < $1.key.name }) {
            key(outcome.name)
            beginObject()
            for (reason, count) in counts.sorted(by: { $0.key < $1.key }) { member(reason, count) }
            endObject()
        }
        endObject()
    }

    /// Names of variables with the recipients who lack them.
    mutating func member(_ name: String, _ lacking: LackingVariables) {
        key(name)
        beginObject()
        for variable in lacking.mostFrequent { member(variable.name, Int64(variable.recipients)) }
        endObject()
    }
}

extension ImportReport {
    var json: String {
        var json = JSONText()
        json.beginObject()
        json.member("accepted", Int64(accepted))
        json.member("duplicates", Int64(duplicates))
        json.member("suppressed", Int64(suppressed))
        json.member("invalid", Int64(invalid))
        json.member("missing_variables", lacking)
        json.member("errors", errors)
        json.member("format", format.rawValue)
        json.member("charset", charset)
        json.member("separator", separator)
        json.endObject()
        return json.text
    }
}

extension JSONText {
    mutating func member(_ name: String, _ lines: [ImportReport.Line]) {
        key(name)
        beginArray()
        for line in lines {
            beginObject()
            member("line", Int64(line.line))
            if let column = line.column { member("column", Int64(column)) }
            member("code", line.code)
            member("reason", line.reason)
            endObject()
        }
        endArray()
    }
}

extension RecipientStatus {
    package var json: String {
        var json = JSONText()
        json.beginObject()
        json.member("email", email)
        json.member("outcome", fate.name)
        json.member("in_doubt_resent", wasInDoubt)
        json.member("code", code == 0 ? nil : Int64(code))
        json.member("enhanced", enhanced?.description)
        json.member("text", text.isEmpty ? nil : text)
        json.endObject()
        return json.text
    }
}

extension CampaignOutcome {
    /// A line of the stream.
    package var json: String {
        var json = JSONText()
        json.beginObject()
        json.member("cursor", cursor.description)
        json.member("recipient", Int64(index))
        json.member("email", email)
        json.member("outcome", outcome.name)
        json.member("reason", reason?.rawValue)
        json.member("code", reply.code == 0 ? nil : Int64(reply.code))
        json.member("enhanced", reply.enhanced?.description)
        json.member("text", reply.text.isEmpty ? nil : reply.text)
        json.member("in_doubt_resent", wasInDoubt)
        json.member("at", microseconds.map(Timestamp.milliseconds))
        json.endObject()
        return json.text
    }
}

extension CreditBalance {
    var json: String {
        var json = JSONText()
        json.beginObject()
        json.member("posted", posted)
        json.member("held", held)
        json.member("limit", limit)
        json.member("available", available)
        json.endObject()
        return json.text
    }
}

extension LedgerEntry {
    var json: String {
        var json = JSONText()
        json.beginObject()
        json.member("number", number)
        json.member("kind", kind.rawValue)
        json.member("amount", amount)
        json.member("posted_before", postedBefore)
        json.member("posted_after", postedAfter)
        json.member("held_before", heldBefore)
        json.member("held_after", heldAfter)
        json.member("campaign", campaign?.description)
        json.member("batch", batch.map(Int64.init))
        json.member("recipient", recipient?.hexadecimal)
        json.member("memo", memo.isEmpty ? nil : memo)
        json.member("digest", digest?.hexadecimal)
        json.member("created_at", createdAt.text)
        json.endObject()
        return json.text
    }
}

extension Suppression {
    /// - Parameter scope: `account`, or `installation`, whose fingerprints and notes are not for customers.
    func json(scope: String) -> String {
        let isOwn = scope == "account"
        var json = JSONText()
        json.beginObject()
        json.member("scope", scope)
        json.member("fingerprint", isOwn ? fingerprint.bytes.hexadecimal : nil)
        json.member("address", address?.text)
        json.member("reason", reason.rawValue)
        json.member("origin", origin.rawValue)
        json.member("note", isOwn ? note : nil)
        json.member("created_at", createdAt.text)
        json.endObject()
        return json.text
    }
}
