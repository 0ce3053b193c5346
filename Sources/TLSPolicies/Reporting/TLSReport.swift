package import Foundation
import MailMessage
package import MailTypes

/// A domain's report of one day (RFC 8460 §4), ready to be sent.
///
/// Sending is somebody else's: a mail must carry a DKIM signature of the submitter's domain, and goes out whatever is
/// wrong with the receiver's TLS, even in plaintext (§5.3); to an `https` address, ``body`` is sent by POST with
/// ``contentType`` (§5.4).
package struct TLSReport: Sendable {
    /// Who reports.
    package struct Submitter: Sendable, Hashable {
        /// Such as the company's name.
        package let organization: String
        /// A mailbox, or a URL, where people can ask.
        package let contact: String
        /// The domain that mails the report and signs it.
        package let domain: DomainName

        package init(organization: String, contact: String, domain: DomainName) {
            self.organization = organization
            self.contact = contact
            self.domain = domain
        }
    }

    package static let contentType = "application/tlsrpt+gzip"

    package let results: TLSResults.Domain
    package let submitter: Submitter
    /// Unique; letters, digits, hyphens and dots.
    package let id: String

    package init(_ results: TLSResults.Domain, submitter: Submitter, id: String) {
        precondition(
            !id.isEmpty
                && id.utf8.allSatisfy { $0.isLetterOrDigit || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".") },
            "a report's id is letters, digits, hyphens and dots")
        self.results = results
        self.submitter = submitter
        self.id = id
    }

    /// Unlike any other.
    static func newID() -> String { UUID().uuidString.lowercased() }

    /// The report itself (§4.4).
    package var json: [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            return Array(try encoder.encode(TLSReportFile(self)))
        } catch {
            preconditionFailure("a report is always JSON: \(error)")
        }
    }

    /// The report as it travels: packed with gzip.
    package var body: [UInt8] { Gzip.pack(json) }

    /// The name that the file has in the mail (§5.1).
    package var fileName: String {
        let day = results.day
        let (start, end) = (Int(day.start.timeIntervalSince1970), Int(day.end.timeIntervalSince1970))
        return "\(submitter.domain)!\(results.domain)!\(start)!\(end)!\(id).json.gz"
    }

    /// The mail that carries the report (§5.3), without a signature.
    ///
    /// - Parameters:
    ///   - sender: at the submitter's domain.
    ///   - date: when it is written.
    package func mail(from sender: EmailAddress, to recipient: EmailAddress, at date: Date) -> [UInt8] {
        let boundary = "=_tlsrpt-\(id)"
        let day = results.day
        let subject = "Report Domain: \(results.domain)\r\n Submitter: \(submitter.domain)\r\n Report-ID: <\(id)>"
        let text = """
            This is a report on how TLS went with mail that \(submitter.domain) sent to
            \(results.domain) on \(Self.format(day.start, "yyyy-MM-dd")) (UTC), as RFC 8460 describes.
            """
        let lines: [String] = [
            "From: \(sender.text)", "To: \(recipient.text)",
            "Date: \(Self.format(date, "EEE, dd MMM yyyy HH:mm:ss '+0000'"))",
            "Message-ID: <tlsrpt.\(id)@\(submitter.domain)>", "Subject: \(subject)",
            "TLS-Report-Domain: \(results.domain)", "TLS-Report-Submitter: \(submitter.domain)",
            // RFC 8689 §3: a report on broken TLS must not be kept back by broken TLS.
            "TLS-Required: No", "Auto-Submitted: auto-generated", "MIME-Version: 1.0",
            "Content-Type: multipart/report; report-type=\"tlsrpt\";\r\n boundary=\"\(boundary)\"", "",
            "--\(boundary)", "Content-Type: text/plain; charset=us-ascii", "Content-Transfer-Encoding: 7bit", "",
            text.replacing("\n", with: "\r\n"), "--\(boundary)", "Content-Type: \(Self.contentType)",
            "Content-Transfer-Encoding: base64",
            "Content-Disposition: attachment;\r\n filename=\"\(fileName)\"", "",
            Data(body).base64EncodedString(options: [
                .lineLength76Characters, .endLineWithCarriageReturn, .endLineWithLineFeed,
            ]),
            "--\(boundary)--", "",
        ]
        return Array(lines.joined(separator: "\r\n").utf8)
    }

    static func format(_ date: Date, _ pattern: String) -> String {
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.timeZone = TimeZone(identifier: "UTC")
        formatter.dateFormat = pattern
        return formatter.string(from: date)
    }
}
