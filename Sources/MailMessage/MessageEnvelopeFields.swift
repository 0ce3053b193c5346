/// What the delivery engine decides about one copy of the message. The same fields, recipient and content always
/// render to the same octets.
package struct MessageEnvelopeFields: Sendable, Hashable {
    /// `local@domain`, without angle brackets. The same for every attempt, so that receivers can drop duplicates.
    package var messageID: String
    /// Seconds since 1970, years up to 9999.
    package var date: Int64
    /// URIs without angle brackets, `https:` before `mailto:` by custom (RFC 2369 §3.2). Empty leaves the field out.
    package var listUnsubscribe: [String]
    /// Adds `List-Unsubscribe-Post` if one of the URIs is https (RFC 8058 §3.1).
    package var oneClick: Bool
    /// The value of Feedback-ID, `a:b:c:sender`; printable ASCII.
    package var feedbackID: String?
    /// Where complaints are to go, the value of CFBL-Address (RFC 9477 §3.1); printable ASCII.
    package var complaintAddress: String?
    /// What a complaint is to name the mail by, the value of CFBL-Feedback-ID (RFC 9477 §3.2); goes with an address only.
    package var complaintID: String?

    package init(
        messageID: String, date: Int64, listUnsubscribe: [String] = [], oneClick: Bool = false,
        feedbackID: String? = nil, complaintAddress: String? = nil, complaintID: String? = nil
    ) {
        self.messageID = messageID
        self.date = date
        self.listUnsubscribe = listUnsubscribe
        self.oneClick = oneClick
        self.feedbackID = feedbackID
        self.complaintAddress = complaintAddress
        self.complaintID = complaintID
    }

    /// The first https URI: where the recipient's browser can go. Schemes ignore case (RFC 3986 §3.1).
    var unsubscribeURL: String? {
        listUnsubscribe.first { uri in
            let scheme: StaticString = "https://"
            return uri.withBytes { bytes in
                scheme.withUTF8Buffer { scheme in
                    bytes.count > scheme.count
                        && zip(bytes, scheme).allSatisfy { $0 == $1 || ((0x41...0x5A).contains($0) && $0 | 0x20 == $1) }
                }
            }
        }
    }
}
