import MailMessage

/// What of a mail tells what it is: its parts, sorted.
struct MailEvidence {
    let mail: ReceivedMail
    /// What was written for people, up to the returned mail.
    private(set) var notice: [UInt8] = []
    private(set) var status: DeliveryStatus?
    private(set) var complaint: ComplaintReport?
    /// A read receipt (RFC 8098).
    private(set) var disposition: ReportFields?
    private(set) var isTLSReport = false
    private(set) var hasArchive = false
    private var returned: ReceivedPart?
    private var html: ReceivedPart?

    init(_ mail: ReceivedMail) {
        self.mail = mail
        for leaf in mail.root.leaves { take(leaf) }
        if notice.allSatisfy(\.isBlank), let html { notice = html.text(limit: NoticeReader.readOctets * 4) }
    }

    /// The mail that is returned, or its header alone.
    var returnedMail: ReceivedMail? { returned?.message }

    private mutating func take(_ leaf: ReceivedPart) {
        switch leaf.mediaType {
        case "message/delivery-status", "message/global-delivery-status":
            if status == nil { status = DeliveryStatus(leaf.content()) }
        case "message/feedback-report": complaint = complaint ?? ComplaintReport(leaf.content())
        case "message/disposition-notification", "message/global-disposition-notification":
            disposition = disposition ?? ReportFields(leaf.content())
        case "message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers",
            "message/rfc822-headers":
            returned = returned ?? leaf
        case "text/html": html = html ?? leaf
        case let type where type.hasPrefix("application/"):
            isTLSReport = isTLSReport || type.hasPrefix("application/tlsrpt")
            hasArchive =
                hasArchive
                || ["application/zip", "application/gzip", "application/x-gzip", "application/x-zip-compressed"]
                    .contains(type)
        case let type where type.hasPrefix("image/") || type.hasPrefix("audio/") || type.hasPrefix("video/"): return
        default: appendNotice(leaf)
        }
    }

    private mutating func appendNotice(_ leaf: ReceivedPart) {
        guard returned == nil, notice.count < NoticeReader.readOctets else { return }
        if !notice.isEmpty { notice.append(UInt8(ascii: "\n")) }
        notice += leaf.text(limit: NoticeReader.readOctets * 2)
    }
}
