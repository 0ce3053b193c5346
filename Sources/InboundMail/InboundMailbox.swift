import Vault

/// The mailboxes of a return path's domain.
enum InboundMailbox: Sendable, Hashable {
    /// `b-<token>@`: what is said of one recipient's mail
    case returnPath(token: String)
    /// `u-<token>@`: one recipient wants no more
    case unsubscribe(token: String)
    /// `fbl@`: reports of feedback loops
    case feedbackLoop

    /// Nil where there is no such mailbox. Local parts come back in any case.
    init?(_ localPart: Substring) {
        let local = localPart.lowercased()
        if local == "fbl" {
            self = .feedbackLoop
            return
        }
        let token = String(local.dropFirst(2))
        guard token.utf8.count == RecipientToken.textCount else { return nil }
        switch local.prefix(2) {
        case "b-": self = .returnPath(token: token)
        case "u-": self = .unsubscribe(token: token)
        default: return nil
        }
    }
}

/// A recipient that was taken.
enum InboundRecipient: Sendable, Hashable {
    case returnPath(RecipientToken)
    case unsubscribe(RecipientToken)
    case feedbackLoop
}
