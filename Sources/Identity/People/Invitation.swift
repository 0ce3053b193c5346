package import MailTypes
package import Postgres

/// Names an invitation. No secret: only what stands in its mail accepts it.
package struct InvitationID: NumberedID {
    package static let prefix = "inv_"
    package let rawValue: Int64

    package init(rawValue: Int64) { self.rawValue = rawValue }
}

/// What is known of an invitation after it was written. Its secret is not.
package struct Invitation: Sendable, Hashable {
    package let id: InvitationID
    package let address: EmailAddress
    package let role: Role
    /// Nil: an operator.
    package let inviter: UserID?
    package let createdAt: PostgresTimestamp
    package let expiresAt: PostgresTimestamp
    /// When its mail was handed over to be sent; nil where that is still to come, or an operator hands on the secret.
    package let mailedAt: PostgresTimestamp?
}

/// What stands in the link of an invitation: 43 characters of base 62 (256 bits). SHA-256 of it is stored.
package struct InvitationSecret: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
{
    /// Show it to whom it is for; never log it.
    package let exposed: String

    package init() { exposed = RefreshSecret.random() }

    /// - Returns: nil unless its form is right.
    package init?(_ text: String) {
        guard RefreshSecret.isSecret(text) else { return nil }
        exposed = text
    }

    var hash: [UInt8] { RefreshSecret.hash(of: exposed) }

    package var description: String { "<redacted>" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// Why nobody could be invited, or nobody has joined.
package enum InvitationError: String, Error, Sendable, Hashable, CaseIterable {
    /// The account has no such invitation that is open.
    case notFound = "invitation_not_found"
    /// No open invitation has this secret: it was accepted, taken back or is too old, its inviter may not write it any more,
    /// or there never was one.
    case over = "invitation_over"
    /// A user of the account signs in with the address.
    case alreadyMember = "already_member"
    /// An invitation of the address is open.
    case alreadyInvited = "already_invited"
    /// As many are open as may be.
    case tooManyOpen = "too_many_invitations"
    /// As many were written within a day as may be.
    case tooManyToday = "too_many_invitations_today"
    /// Nothing sends the mail of this installation.
    case noMail = "no_installation_mail"

    /// A stable name for programs.
    package var code: String { rawValue }
}

extension InvitationError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .notFound: "the account has no such invitation that is open"
        case .over: "the invitation was accepted or taken back, is too old, or was never written; ask for another"
        case .alreadyMember: "a user of the account signs in with this address"
        case .alreadyInvited: "this address is invited already; take that invitation back to write another"
        case .tooManyOpen: "at most \(PeopleLimits.openInvitations) invitations are open; take some of them back"
        case .tooManyToday: "the account has written as many invitations within a day as it may"
        case .noMail: "the operator has not named who sends the mail of this installation"
        }
    }
}
