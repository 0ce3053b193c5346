import Feedback

/// Whose list of suppressed addresses a file is, as the names of its columns or members tell.
package enum SuppressionListForm: String, Sendable, Hashable, CaseIterable {
    /// Our own export, and any list with a column `email`, perhaps `reason`, `created_at` and `note`.
    case sluice
    /// Amazon SES: `ListSuppressedDestinations`, as JSON or a line each.
    case ses
    /// Postmark: the suppression dump, as JSON or CSV.
    case postmark
    case sendgrid
    case mailgun
    /// Mailchimp: the export of unsubscribed or cleaned contacts.
    case mailchimp
}

/// The columns of a CSV list that matter, and what its rows mean where they do not say so themselves.
struct SuppressionColumns: Sendable {
    let form: SuppressionListForm
    var email: Int?
    var fingerprint: Int?
    var reason: Int?
    var origin: Int?
    var createdAt: Int?
    var note: Int?
    /// SMTP status of a bounce.
    var status: Int?
    /// Of rows whose own column is empty, or that have none. Nil where the list does not tell.
    let reasonOfList: SuppressionReason?

    /// Nil where no column holds addresses or fingerprints.
    ///
    /// - Parameter names: as the header row has them.
    init?(_ names: [String]) {
        let known = names.map { ListedWord.letters($0) ?? "" }
        func column(_ candidates: String...) -> Int? {
            candidates.lazy.compactMap { known.firstIndex(of: $0) }.first
        }
        email = column("email", "emailaddress", "address", "recipient", "mail", "emailadresse")
        if let cleaned = column("cleantime") {
            (form, createdAt, reasonOfList) = (.mailchimp, cleaned, .hardBounce)
        } else if let unsubscribed = column("unsubtime") {
            (form, createdAt, reason, reasonOfList) = (.mailchimp, unsubscribed, column("unsubreason"), .unsubscribe)
        } else if let own = column("suppressionreason") {
            (form, reason, origin, createdAt, reasonOfList) = (
                .postmark, own, column("origin"), column("createdat"), nil
            )
        } else if column("lastupdatetime") != nil {
            (form, reason, createdAt, reasonOfList) = (.ses, column("reason"), column("lastupdatetime"), nil)
        } else if known.contains("address"), let created = column("createdat") {
            let isBounce = column("error", "code") != nil
            let isUnsubscribe = column("tag", "tags") != nil
            (form, createdAt) = (.mailgun, created)
            reasonOfList = isBounce ? .hardBounce : isUnsubscribe ? .unsubscribe : .complaint
        } else if let created = column("created") {
            (form, createdAt, status) = (.sendgrid, created, column("status"))
            // Their column `reason` holds what the server said.
            let isBounce = column("status", "reason") != nil
            reasonOfList = isBounce ? .hardBounce : column("ip") != nil ? .complaint : .unsubscribe
        } else {
            (form, reason, fingerprint) = (.sluice, column("reason"), column("fingerprint"))
            (createdAt, note, reasonOfList) = (column("createdat", "time", "date"), column("note"), nil)
        }
        guard email != nil || fingerprint != nil else { return nil }
    }
}

/// Words that lists have for what they mean. None that means anything is long or has other letters than ASCII's, and
/// what it takes to compare a run of combining marks grows with the square of its length.
enum ListedWord {
    private static let octets = 64

    /// Lowercased; nil for what is too long or not ASCII.
    static func plain(_ text: String) -> String? {
        guard text.utf8.count <= octets, text.utf8.allSatisfy({ $0 < 0x80 }) else { return nil }
        return text.lowercased()
    }

    /// Its letters alone.
    static func letters(_ text: String) -> String? {
        plain(text)?.filter(\.isLetter)
    }

    /// Whether the recipient has asked for it.
    static func isRecipient(_ origin: String?) -> Bool {
        origin.flatMap(plain) == "recipient"
    }

    /// Whether people's own words for why they left tell of spam.
    static func tellsOfSpam(_ text: String) -> Bool {
        guard let word = plain(text) else { return false }
        return ["spam", "abuse"].contains { word.contains($0) }
    }
}

extension SuppressionReason {
    /// By the word that a list has for it; nil for one that none has.
    ///
    /// - Parameter isByRecipient: a manual suppression is an unsubscribe then.
    init?(listed word: String, isByRecipient: Bool = false) {
        switch ListedWord.letters(word) {
        case "hardbounce", "bounce", "bounced": self = .hardBounce
        case "complaint", "spamcomplaint", "spam", "spamreport", "abuse": self = .complaint
        case "unsubscribe", "unsubscribed", "unsubscription", "optout": self = .unsubscribe
        case "manual", "manualsuppression": self = isByRecipient ? .unsubscribe : .manual
        case "invalid", "invalidemail": self = .invalid
        default: return nil
        }
    }
}
