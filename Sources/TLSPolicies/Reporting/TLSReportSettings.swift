package import MailTypes

/// Whether and as whom reports on TLS are sent (RFC 8460).
package struct TLSReportSettings: Sendable, Hashable {
    /// At a sending domain of an account, whose key signs the reports.
    package var sender: EmailAddress
    /// Who reports, for people.
    package var organization: String

    package init(sender: EmailAddress, organization: String? = nil) {
        self.sender = sender
        self.organization = organization ?? sender.domain.text
    }

    var submitter: TLSReport.Submitter {
        TLSReport.Submitter(organization: organization, contact: sender.text, domain: sender.domain)
    }
}
