/// The providers whose reports are understood. The names stand in addresses and are stored: never change one.
package enum ProviderKind: String, CaseIterable, Sendable {
    case ses, sendgrid, mailgun, postmark, sparkpost, mailjet, brevo, resend
    /// Whoever signs as standardwebhooks.com says, with a body such as Resend's.
    case standard
    /// Everything else, in the form of docs/operators/feedback.md.
    case generic

    func provider(_ certificates: SigningCertificates) -> any Provider {
        switch self {
        case .ses: AmazonSES(certificates: certificates)
        case .sendgrid: SendGrid()
        case .mailgun: Mailgun()
        case .postmark: Postmark()
        case .sparkpost: SparkPost()
        case .mailjet: Mailjet()
        case .brevo: Brevo()
        case .resend, .standard: Resend()
        case .generic: GenericEvents()
        }
    }

    /// Whether reports are verified by keys of signatures.
    var signsWithKeys: Bool {
        switch self {
        case .sendgrid, .mailgun, .resend, .standard, .generic: true
        case .ses, .postmark, .sparkpost, .mailjet, .brevo: false
        }
    }

    /// The answer to who comes at a bad moment: one that makes the provider come again. Brevo gives up after any other
    /// failure.
    package var busyStatus: Int { self == .brevo ? 429 : 503 }
}
