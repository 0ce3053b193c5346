/// How a provider words its refusals: imitations for trials, close enough in codes, shape and key words that a
/// classifier and a reader meet what they would meet outside. No list is empty.
struct ProviderReplies {
    /// 5yz at RCPT: there is no such mailbox.
    let unknownMailbox: [ReplyTemplate]
    /// 5yz at RCPT: there was one.
    let inactiveMailbox: [ReplyTemplate]
    /// 5yz after the final dot.
    let refusedContent: [ReplyTemplate]
    /// 4yz at RCPT.
    let deferredRecipient: [ReplyTemplate]
    /// 4yz after the final dot.
    let deferredContent: [ReplyTemplate]
    /// 421
    let busy: [ReplyTemplate]

    /// - Parameter domain: in any case.
    static func provider(of domain: Substring) -> ProviderReplies {
        let labels = domain.lowercased().split(separator: ".")
        let name = labels.joined(separator: ".")
        switch name {
        case "gmail.com", "googlemail.com": return gmail
        case "web.de", "gmx.de", "gmx.net", "gmx.com", "gmx.at", "gmx.ch": return gmx
        case "icloud.com", "me.com", "mac.com": return icloud
        case "orange.fr", "wanadoo.fr": return orange
        case "comcast.net", "xfinity.com": return comcast
        case "mail.ru", "bk.ru", "inbox.ru", "list.ru": return mailRu
        case "aol.com", "ymail.com", "rocketmail.com": return yahoo
        default: break
        }
        // Brands with a domain in each country.
        switch labels.first {
        case "yahoo": return yahoo
        case "outlook", "hotmail", "live", "msn": return outlook
        default: return generic
        }
    }

    private static let gmail = ProviderReplies(
        unknownMailbox: [
            ReplyTemplate(
                550, "5.1.1", "The email account that you tried to reach does not exist. Please check the",
                "recipient's address for typing errors or stray spaces. {token} - gsmtp")
        ],
        inactiveMailbox: [
            ReplyTemplate(
                550, "5.2.1", "The email account that you tried to reach is inactive. {token} - gsmtp"),
            ReplyTemplate(
                552, "5.2.2", "The recipient's inbox is out of storage space and inactive. Ask the",
                "recipient to free some storage. {token} - gsmtp"),
        ],
        refusedContent: [
            ReplyTemplate(
                550, "5.7.1", "Our system has found this message likely to be unsolicited mail. To keep spam away",
                "from our users, this message has been blocked. {token} - gsmtp")
        ],
        deferredRecipient: [
            ReplyTemplate(
                452, "4.2.2", "The recipient's inbox is out of storage space. Ask the recipient to make room,",
                "and try again later. {token} - gsmtp"),
            ReplyTemplate(
                450, "4.2.1", "The user you are trying to contact is receiving mail at a rate that prevents",
                "more messages from being delivered. Please resend at a later time. {token} - gsmtp"),
        ],
        deferredContent: [
            ReplyTemplate(
                451, "4.7.0", "Temporary system problem. Try again later. {token} - gsmtp")
        ],
        busy: [
            ReplyTemplate(
                421, "4.7.28", "We see an unusual rate of mail from your IP address. To protect our users,",
                "mail from it is rate limited for now. Try again later. {token} - gsmtp"),
            ReplyTemplate(421, "4.7.0", "Try again later, closing connection. {token} - gsmtp"),
        ])

    private static let yahoo = ProviderReplies(
        unknownMailbox: [
            ReplyTemplate(
                550, "", "Requested action not taken: mailbox unavailable ({token})"),
            ReplyTemplate(
                554, "", "delivery error: dd This user doesn't have an account here ({recipient}) [0] - mta{token}"),
        ],
        inactiveMailbox: [
            ReplyTemplate(
                554, "", "delivery error: dd Sorry, your message to {recipient} cannot be delivered. This mailbox is",
                "disabled (554.30). - mta{token}")
        ],
        refusedContent: [
            ReplyTemplate(554, "5.7.9", "Message not accepted for policy reasons. {token}")
        ],
        deferredRecipient: [
            ReplyTemplate(
                451, "4.3.2", "Requested action aborted: the account is temporarily unavailable ({token})"),
            ReplyTemplate(452, "4.2.2", "Mailbox of {recipient} is over quota ({token})"),
        ],
        deferredContent: [
            ReplyTemplate(451, "", "[TS03] Messages from your address deferred for now; try later ({token})")
        ],
        busy: [
            ReplyTemplate(
                421, "4.7.0",
                "[TSS04] Messages from your address temporarily deferred due to unexpected volume or user",
                "complaints ({token})")
        ])

    private static let outlook = ProviderReplies(
        unknownMailbox: [
            ReplyTemplate(
                550, "5.5.0", "Requested action not taken: mailbox unavailable (S2017062302). [{token}.prod.protection]"
            ),
            ReplyTemplate(
                550, "5.1.10", "RESOLVER.ADR.RecipientNotFound; Recipient {recipient} not found by SMTP address lookup",
                "[{token}.prod.protection]"),
        ],
        inactiveMailbox: [
            ReplyTemplate(
                550, "5.2.1", "Mailbox cannot be accessed: account disabled [{token}.prod.protection]")
        ],
        refusedContent: [
            ReplyTemplate(
                550, "5.7.520", "Message blocked because it contains content identified as spam. AS({token})"),
            ReplyTemplate(
                550, "5.7.509", "Access denied, sending domain does not pass DMARC verification [{token}]"),
        ],
        deferredRecipient: [
            ReplyTemplate(
                451, "4.7.500", "Server busy. Please try again later from this address. (S77719) [{token}]"),
            ReplyTemplate(
                450, "4.4.317", "Mailbox is being moved, cannot connect to its server now. Try again later. [{token}]"),
        ],
        deferredContent: [
            ReplyTemplate(
                451, "4.7.650",
                "The mail server has been temporarily rate limited due to IP reputation. (S775) [{token}]")
        ],
        busy: [
            ReplyTemplate(
                421, "4.3.2", "Service not available, too many concurrent connections. [{token}.prod.protection]")
        ])

    private static let gmx = ProviderReplies(
        unknownMailbox: [
            ReplyTemplate(
                550, "", "Requested action not taken: mailbox unavailable",
                "For explanation visit the postmaster pages, error code {token}"),
            ReplyTemplate(550, "5.1.1", "<{recipient}>: Recipient address rejected: User unknown ({token})"),
        ],
        inactiveMailbox: [
            ReplyTemplate(550, "5.2.1", "Requested action not taken: mailbox deactivated ({token})")
        ],
        refusedContent: [
            ReplyTemplate(
                554, "", "Transaction failed", "Reject due to policy restrictions.",
                "For explanation visit the postmaster pages, error code {token}")
        ],
        deferredRecipient: [
            ReplyTemplate(
                450, "", "Requested mail action not taken: mailbox unavailable",
                "Greylisted, please retry in some minutes"),
            ReplyTemplate(452, "4.2.2", "Requested mail action aborted: exceeded storage allocation of the mailbox"),
        ],
        deferredContent: [
            ReplyTemplate(451, "", "Requested action aborted: local error in processing ({token})")
        ],
        busy: [
            ReplyTemplate(421, "", "Service not available", "Mail rate limit of your address exceeded, try again later")
        ])

    private static let icloud = ProviderReplies(
        unknownMailbox: [
            ReplyTemplate(550, "5.1.1", "<{recipient}>: user does not exist")
        ],
        inactiveMailbox: [
            ReplyTemplate(550, "5.1.6", "<{recipient}>: user is no longer available, mailbox inactive")
        ],
        refusedContent: [
            ReplyTemplate(554, "5.7.1", "[CS01] Message rejected due to local policy. [{token}]")
        ],
        deferredRecipient: [
            ReplyTemplate(452, "4.2.2", "<{recipient}>: user is over quota"),
            ReplyTemplate(450, "4.2.0", "<{recipient}>: Recipient address rejected: Greylisted, try again later"),
        ],
        deferredContent: [
            ReplyTemplate(451, "4.3.0", "Temporary failure in processing, try again later [{token}]")
        ],
        busy: [
            ReplyTemplate(421, "4.7.1", "[CS02] Too many messages from your address for now, try again later")
        ])

    private static let orange = ProviderReplies(
        unknownMailbox: [
            ReplyTemplate(
                550, "5.1.1", "Adresse d au moins un destinataire invalide. Invalid recipient. OFR{token} [416]")
        ],
        inactiveMailbox: [
            ReplyTemplate(550, "5.2.1", "Boite du destinataire desactivee. Mailbox disabled. OFR{token} [417]")
        ],
        refusedContent: [
            ReplyTemplate(
                550, "5.7.1", "Service refuse. Veuillez essayer plus tard. Mail rejected as spam. OFR{token} [506]")
        ],
        deferredRecipient: [
            ReplyTemplate(
                450, "4.2.1", "Service temporairement indisponible. Mailbox busy, try again later. OFR{token} [103]"),
            ReplyTemplate(452, "4.2.2", "Boite du destinataire pleine. Recipient overquota. OFR{token} [403]"),
        ],
        deferredContent: [
            ReplyTemplate(451, "4.7.1", "Service refuse pour le moment. Too many messages, slow down. OFR{token} [104]")
        ],
        busy: [
            ReplyTemplate(
                421, "4.7.0",
                "Trop de connexions, veuillez verifier votre configuration. Too many connections, slow down. OFR{token}"
            )
        ])

    private static let comcast = ProviderReplies(
        unknownMailbox: [
            ReplyTemplate(550, "5.1.1", "Not our Customer <{recipient}>: no such account")
        ],
        inactiveMailbox: [
            ReplyTemplate(550, "5.2.1", "Account not available: mailbox of <{recipient}> is suspended")
        ],
        refusedContent: [
            ReplyTemplate(554, "5.7.1", "RL000003 message refused: content looks like spam ({token})")
        ],
        deferredRecipient: [
            ReplyTemplate(452, "4.2.2", "<{recipient}> Mailbox is full, exceeded storage allocation"),
            ReplyTemplate(
                450, "4.7.1", "RL000001 recipients from your address are throttled, try again later ({token})"),
        ],
        deferredContent: [
            ReplyTemplate(452, "4.3.1", "Insufficient system storage, try again later ({token})")
        ],
        busy: [
            ReplyTemplate(421, "4.7.0", "Reject: too many sessions from your address, try again later ({token})")
        ])

    private static let mailRu = ProviderReplies(
        unknownMailbox: [
            ReplyTemplate(
                550, "",
                "Message was not accepted -- invalid mailbox. Local mailbox {recipient} is unavailable: user not found")
        ],
        inactiveMailbox: [
            ReplyTemplate(
                550, "",
                "Message was not accepted -- invalid mailbox. Local mailbox {recipient} is unavailable: account disabled"
            )
        ],
        refusedContent: [
            ReplyTemplate(550, "", "spam message rejected. Please contact the abuse desk and quote {token}")
        ],
        deferredRecipient: [
            ReplyTemplate(451, "", "Temporarily: mailbox of {recipient} is full, try again later"),
            ReplyTemplate(451, "4.7.1", "Greylisted, try again in some minutes ({token})"),
        ],
        deferredContent: [
            ReplyTemplate(451, "", "Ratelimit exceeded for the domain of the sender, try again later ({token})")
        ],
        busy: [
            ReplyTemplate(421, "", "Too many connections from your address, try again later ({token})")
        ])

    private static let generic = ProviderReplies(
        unknownMailbox: [
            ReplyTemplate(
                550, "5.1.1", "<{recipient}>: Recipient address rejected: User unknown in virtual mailbox table"),
            ReplyTemplate(550, "5.1.1", "<{recipient}>... User unknown"),
            ReplyTemplate(550, "", "No such user here"),
            ReplyTemplate(550, "", "Unrouteable address"),
        ],
        inactiveMailbox: [
            ReplyTemplate(550, "5.2.1", "<{recipient}>: Recipient address rejected: this mailbox is disabled"),
            ReplyTemplate(554, "5.2.1", "The account <{recipient}> has been suspended"),
        ],
        refusedContent: [
            ReplyTemplate(554, "5.7.1", "Message rejected: identified as spam (id={token})"),
            ReplyTemplate(550, "5.7.1", "Message contains content that is not accepted here, case {token}"),
        ],
        deferredRecipient: [
            ReplyTemplate(
                450, "4.2.0", "<{recipient}>: Recipient address rejected: Greylisted, try again in 300 seconds"),
            ReplyTemplate(451, "4.7.1", "Greylisting in action, please come back later"),
            ReplyTemplate(452, "4.2.2", "<{recipient}>: mailbox full"),
            ReplyTemplate(451, "4.3.0", "<{recipient}>: Temporary lookup failure"),
        ],
        deferredContent: [
            ReplyTemplate(451, "4.3.0", "Temporary local problem, please try later (id={token})"),
            ReplyTemplate(452, "4.3.1", "Insufficient system storage"),
        ],
        busy: [
            ReplyTemplate(421, "4.7.0", "Too many connections from your address, try again later"),
            ReplyTemplate(421, "4.3.2", "System is too busy, try again later (id={token})"),
        ])
}
