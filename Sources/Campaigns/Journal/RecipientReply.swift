package import MailTypes

/// What the other side, or the lack of one, said about a recipient.
package struct RecipientReply: Sendable, Hashable {
    /// SMTP reply code (RFC 5321 §4.2); 0 where there was no reply.
    package let code: UInt16
    package let enhanced: EnhancedStatusCode?
    /// At most ``CampaignLimits/replyTextOctets``; what is longer was cut.
    package let text: String

    package init(code: UInt16 = 0, enhanced: EnhancedStatusCode? = nil, text: String = "") {
        self.code = code
        self.enhanced = enhanced
        self.text = text.cut(toOctets: CampaignLimits.replyTextOctets)
    }

    package static let none = RecipientReply()
}

extension String {
    /// The longest beginning of whole characters that fits.
    fileprivate func cut(toOctets limit: Int) -> String {
        guard utf8.count > limit else { return self }
        var end = utf8.index(startIndex, offsetBy: limit)
        while end > startIndex, end.samePosition(in: unicodeScalars) == nil { utf8.formIndex(before: &end) }
        return String(self[..<end])
    }
}
