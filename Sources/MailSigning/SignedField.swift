/// The header fields that a signature covers, in the order of its `h=` tag.
///
/// A field that is present is signed as often as it occurs. An oversigned one is named once more than it occurs, so that
/// nobody can add another without breaking the signature (RFC 6376 §8.15): mail clients differ in which of two From or
/// Subject fields they show.
enum SignedField: Int, CaseIterable {
    case from, subject, to, date, messageID, replyTo, mimeVersion, contentType, contentTransferEncoding
    case listUnsubscribe, listUnsubscribePost, feedbackID, complaintAddress, complaintID, cc

    var name: String {
        switch self {
        case .from: "From"
        case .subject: "Subject"
        case .to: "To"
        case .date: "Date"
        case .messageID: "Message-ID"
        case .replyTo: "Reply-To"
        case .mimeVersion: "MIME-Version"
        case .contentType: "Content-Type"
        case .contentTransferEncoding: "Content-Transfer-Encoding"
        case .listUnsubscribe: "List-Unsubscribe"
        case .listUnsubscribePost: "List-Unsubscribe-Post"
        case .feedbackID: "Feedback-ID"
        case .complaintAddress: "CFBL-Address"
        case .complaintID: "CFBL-Feedback-ID"
        case .cc: "Cc"
        }
    }

    /// Cc is left open: some providers add it when they expand a list. The fields of feedback loops are: relays that
    /// report, or want reports themselves, add their own (RFC 9477 §3.1.3).
    var isOversigned: Bool {
        switch self {
        case .feedbackID, .complaintAddress, .complaintID, .cc: false
        default: true
        }
    }

    /// Names in lower case, by raw value.
    static let lowerCaseNames = allCases.map { Array($0.name.lowercased().utf8) }
    /// Names with what follows them in `h=`, a colon or the semicolon that ends the list, by raw value.
    static let listNames = allCases.map { Array($0.name.utf8) + [UInt8(ascii: ":")] }
    static let lastListNames = allCases.map { Array($0.name.utf8) + [UInt8(ascii: ";")] }
}
