import MailMessage
import Vault

/// Where a token stood.
package enum TokenPlace: String, Sendable, Hashable, CaseIterable {
    /// The address that the report came to
    case envelope
    /// The fields of a feedback report (RFC 5965 §3): Original-Mail-From, Original-Rcpt-To, CFBL-Feedback-ID …
    case report
    /// CFBL-Feedback-ID (RFC 9477 §3.2) of the returned mail, and further fields of it
    case complaintID, messageID, feedbackID, unsubscribe, returnPath
    /// Anywhere in the returned mail, or in what was written for people
    case text
}

/// Looks for tokens in a mail that came back. Which of them are ours, their accounts' keys tell.
///
/// Reporters take out what names their user, each something else: the addresses, the return path, the body. So every
/// place is looked at, those first that only the sender's own mail has.
struct TokenSearch {
    struct Candidate: Hashable {
        let text: String
        let place: TokenPlace
    }

    /// Each once, the best place first.
    private(set) var candidates: [Candidate] = []
    private var seen: Set<String> = []

    /// Real reports hold one, in several places. Each that is not ours costs a look-up.
    static let most = 16

    init(_ mail: ReceivedMail) {
        let leaves = mail.root.leaves
        for leaf in leaves where leaf.mediaType == "message/feedback-report" { add(leaf.content(), .report) }
        let returned = leaves.filter { Self.returnedTypes.contains($0.mediaType) }
        for leaf in returned { addFields(leaf.message.header) }
        for leaf in returned {
            add(leaf.content(), .text)
            // Links in an encoded body are broken by the ends of its lines.
            for inner in leaf.message.root.leaves { add(inner.content(), .text) }
        }
        for leaf in leaves { add(leaf.content(), .text) }
    }

    private static let returnedTypes: Set = [
        "message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers", "message/rfc822-headers",
    ]

    private mutating func addFields(_ header: ReceivedHeader) {
        let fields: [(StaticString, TokenPlace)] = [
            ("cfbl-feedback-id", .complaintID), ("message-id", .messageID), ("feedback-id", .feedbackID),
            ("list-unsubscribe", .unsubscribe), ("return-path", .returnPath),
        ]
        for (name, place) in fields {
            for value in header.all(name) { add(value, place) }
        }
    }

    private mutating func add(_ octets: [UInt8], _ place: TokenPlace) {
        guard candidates.count < Self.most else { return }
        Self.forEachToken(in: octets) { range in
            let text = String(decoding: octets[range], as: UTF8.self).lowercased()
            if candidates.count < Self.most, seen.insert(text).inserted {
                candidates.append(Candidate(text: text, place: place))
            }
        }
    }

    /// Runs of letters and digits of a token's length and alphabet. `%2F` before one is no part of it.
    static func forEachToken(in octets: [UInt8], _ found: (Range<Int>) -> Void) {
        var start = 0
        var isToken = true
        var index = 0
        func end(_ index: Int) {
            if isToken, index - start == RecipientToken.textCount { found(start..<index) }
        }
        while index < octets.count {
            switch octets[index].inLowerCase {
            case 0x61...0x7A, 0x32...0x37:
                index += 1
            case 0x30, 0x31, 0x38, 0x39:
                isToken = false
                index += 1
            case UInt8(ascii: "%"):
                end(index)
                index = min(index + 3, octets.count)
                (start, isToken) = (index, true)
            default:
                end(index)
                index += 1
                (start, isToken) = (index, true)
            }
        }
        end(index)
    }
}
