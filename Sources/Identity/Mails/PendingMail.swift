package import MailTypes

/// A mail that the installation owes somebody. Its secret is made with it and is nowhere but in the mail: the database keeps a
/// hash, and not before the mail is on its way.
package struct PendingMail: Sendable {
    package enum Purpose: Sendable {
        /// - Parameters:
        ///   - account: the name of the account to join
        ///   - inviter: nil for an operator, and where a mail program could make a link of their address
        case invitation(account: String, inviter: Redacted<String>?)
        /// To choose a new password.
        case passwordCode
        /// To sign in with a new device.
        case deviceCode
        /// To open an account.
        case signUpCode
        /// Somebody wanted to open an account with an address that signs in already.
        case addressInUse
    }

    package let purpose: Purpose
    package let address: EmailAddress
    /// What the mail is for: it goes into the link, or is the code. Nil where it only tells something.
    package let secret: Redacted<String>?
    let place: Place

    /// The row that waits for the mail.
    enum Place: Sendable {
        case invitation(AccountID, InvitationID, InvitationSecret)
        /// - Parameter browser: SHA-256 of the secret in the browser that has asked
        case code(MailCode, browser: [UInt8])
        /// - Parameter code: nil where the address is in use
        case signUp(MailCode?, browser: [UInt8])
    }
}

/// The mail is not wanted any more, or another node has made it.
package struct MailNotWanted: Error {
    package init() {}
}
