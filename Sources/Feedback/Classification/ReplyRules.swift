/// What receivers write, as phrases that many of them share. The first rule that holds decides.
///
/// Words come before codes, because codes mislead: 5.2.1 stands for a disabled mailbox and for one that gets mail too
/// fast, 552 for a full mailbox and for a large message, and 5.7.1 for everything. Among the words those about the
/// sender and the moment come before those about the mailbox: to take "listed at …, mailbox unavailable" for a bad
/// address would lose a good recipient for ever, the other mistake costs a few attempts.
enum ReplyRules {
    static let all = moment + sender + message + recipient + rest + statuses + codes

    /// Phrases are in the form of ``ReplyText``.
    private static let moment: [ReplyRule] = [
        ReplyRule(.other, ["per transaction", "separate transaction", "verification in progress"]),
        ReplyRule(
            .tls,
            ["tls ", "starttls", "encryption required", "encryption needed", "encrypted connection", "ssl required"]),
        ReplyRule(
            .softRateLimited, ["email quota exceed", "sending quota", "daily quota", "smtp quota", "quota for sending"]),
        ReplyRule(
            .softGreylist,
            ["greylist", "graylist", "grey list", "gray list", "postgrey", "first time sender", "first contact"]),
        ReplyRule(
            .softMailboxFull,
            [
                "over quota", "overquota", "quota exceed", "quotaexceed", "exceeded quota", "exceeds quota",
                "quota full", "quota is full", "quota violation", "disk quota", "exceeded storage",
                "exceeded its storage", "exceeded the storage", "storage is full", "storage quota", "out of storage",
                "out of space", "over its quota", "over the quota", "exceeded its quota", "exceed mailbox quota",
                "mailbox quota", "mailbox full", "mailbox is full", "mailbox has exceeded", "mailbox size limit",
                "mailbox too large", "maximum mailbox size", "maximum allowed mailbox", "mail box full",
                "mail box is full", "inbox is full", "inbox full", "folder is full", "account is full",
                "user is full", "not enough space", "not enough storage", "insufficient space in",
                "too many messages on", "too many mails on", "full mailbox", "boite pleine", "bo\u{ee}te pleine",
                "quota d\u{e9}pass", "postfach voll", "postfach ist voll", "casella piena", "buzon lleno",
                "buz\u{f3}n lleno", "caixa postal cheia",
            ], unless: ["for sending", "sending quota", "sending limit"]),
    ]

    private static let sender: [ReplyRule] = [
        ReplyRule(
            .blockAuth,
            [
                "spf ", "openspf", "sender policy framework", "not allowed to send mail from",
                "not authorized to send mail from", "not permitted to send mail from", "not a permitted sender",
                "not designated", "dkim", "dmarc", "domainkeys", "sender authentication", "sender id",
                "unauthenticated email", "unauthenticated mail", "unauthenticated message", "unauthenticated sender",
                "must be authenticated", "spoof", "antispoof", "forged",
            ], unless: ["unusual rate"]),
        ReplyRule(
            .blockSpamPolicy,
            [
                "uribl", "surbl", "multi surbl", "multi uribl", "contains a url", "contains url", "contains a link",
                "url in", "urls in", "links in", "spamassassin", "spam filter", "spam score", "spam content",
                "spam message", "spam detected", "spam signature", "spam like", "as spam ", "like spam",
                "probability of spam", "considered spam", "dt spm",
            ], unless: ["unusual rate"]),
        ReplyRule(
            .softRateLimited,
            [
                "rate limit", "ratelimit", "rate is limited", "throttl", "frequency limit", "thread limit",
                "too much mail", "too much email", "too quickly", "too fast", "too frequent", "at a rate that",
                "unusual rate", "excessive rate", "connection rate", "message rate", "sending rate",
                "exceeded the rate", "connection limit", "concurrent connection", "maximum number of connections",
                "number of connections", "messages per connection", "message per connection", "max messages",
                "maximum number of messages", "sending limit", "message limit", "hourly limit", "daily limit",
                "per hour", "per day", "per minute", "server busy", "server is busy", "server too busy",
                "system busy", "slow down", "temporarily deferred", "temporarily rate", "service refuse",
                "unexpected volume", "high volume", "volume of messages", "volume of email", "congest",
            ]),
        ReplyRule(
            .softRateLimited, ["too many"],
            unless: [
                "too many hops", "too many received", "too many header", "too many unauth", "too many login",
                "too many fail", "too many auth", "too many syntax", "too many unrecogni", "too many spam",
                "too many complaints",
            ]),
        ReplyRule(
            .blockReputation,
            [
                "blacklist", "black list", "blocklist", "block list", "blackhole", "black hole", "denylist",
                "deny list", "blocked using", "blocked by", "blocked see", "dnsbl", "dnsrbl", "rbl ", "rbldns",
                "drbl", "realtime block", "spamhaus", "spamcop", "barracudacentral", "barracudanetworks",
                "barracuda reputation", "sorbs", "invaluement", "spamrl", "spamrats", "uceprotect", "abusix",
                "mailspike", "cloudmark", "csi cloudmark", "senderbase", "senderscore", "sender score", "ipcheck",
                "ip check", "listed at", "listed in", "listed by", "listed on", "is listed", "are listed",
                "listing in", "reputation", "banned", "spammer", "ptr record", "no ptr", "ptr ", "reverse dns",
                "reverse lookup", "reverse hostname", "rdns", "fcrdns", "cannot find your hostname",
                "cannot find your reverse", "client host rejected", "client host blocked", "not allowed to connect",
                "not accepting connections from", "connections not accepted", "connection refused",
                "connection rejected", "connection denied", "refused by", "your ip", "your server ip", "your host",
                "your mail server", "mail server ip", "sending ip", "ip address was rejected",
                "ip address is blocked", "ip address has been", "ip is blocked", "ip blocked", "ip has been",
                "untrusted ip", "dynamic ip", "residential ip", "bad ip", "ip not in whitelist", "not in whitelist",
                "not whitelisted", "permanently deferred", "user complaints", "unusual amount", "ask your postmaster",
                "geographical location", "from your network", "complaint rate", "intrusion", "your access",
                "traffic not accepted", "will not accept delivery", "not authorized to send email directly",
                "not authorized to send mail directly", "not authorized to connect", "poor sender", "hl rep",
                "adresse ip", "connexion refus", "too many spam", "too many complaints",
            ], unless: ["not listed in", "relay denied ip"]),
    ]

    private static let message: [ReplyRule] = [
        ReplyRule(
            .messageTooLarge,
            [
                "message size", "message too large", "message too big", "message is too large", "message is too big",
                "message exceed", "message length exceed", "mail size", "size limit", "too large", "too big",
                "maximum size", "max size", "maximum message", "size exceed", "exceeds size", "exceeds maximum",
                "exceeds the maximum", "exceeds fixed", "number of attachments", "header size", "header values",
            ], unless: ["too big a risk"]),
        ReplyRule(
            .messageContent,
            [
                "illegal attachment", "attachment type", "type of attachment", "attachment is not allowed",
                "attachments are not allowed", "prohibited attachment", "blocked attachment", "banned attachment",
                "file type", "filetype", "file extension", "executable", "potential security issue", "malformed",
                "not rfc", "non rfc", "rfc compliant", "rfc violation", "violates rfc", "missing a valid message id",
                "missing message id", "missing from", "missing date", "missing subject", "missing header",
                "duplicate header", "multiple from", "header is missing", "header missing", "headers missing",
                "invalid header", "bad header", "header syntax", "no from header", "no message id", "bare lf",
                "bare cr", "bare linefeed", "bare line feed", "bare newline", "bit characters", "mime ",
                "line too long", "lines too long", "badly formatted", "conversion",
            ]),
        ReplyRule(.messageContent, ["virus", "infected", "malware"], unless: ["spam"]),
        ReplyRule(
            .relayConfig,
            [
                "relay access", "relay denied", "relay not", "relay is not", "relay prohibited", "relaying",
                "to relay", "not relay", "for relay", "relay for", "open relay", "rcpthosts", "not a gateway",
                "gatewaying", "authentication required", "authentication is required", "must authenticate",
                "authenticate first", "smtp auth", "authentication mechanism", "authentication type",
                "unrecognized authentication", "credential", "password", "login", "log in", "sign in", "oauth",
                "xoauth", "too many hops", "too many received", "hop count", "routing loop", "mail loop",
                "loops back", "loop detected", "looping", "not authorized to send to", "not authorised to send to",
                "not allowed to send to", "not permitted to send to", "not have permission to send",
                "restrictedtorecipients", "requireauthtosend", "only accepts mail from", "accepts only",
                "unauthenticated command", "too many unauth", "too many login", "too many auth", "sending denied",
                "no valid cert", "as a relay", "resolver rst", "listed as a best preference",
            ]),
        // What GMX, web.de and IONOS say of a sender whose domain has no MX and no address, behind the words "mailbox
        // unavailable".
        ReplyRule(
            .relayConfig,
            ["invalid dns mx", "invalid dns a ", "invalid mx or a", "no valid mx or a", "invalid dns record"]),
        ReplyRule(
            .relayConfig,
            [
                "sender address rejected", "sender rejected", "sender address verif", "sender verif", "sender domain",
                "sender address domain", "domain of sender", "envelope sender", "invalid sender", "bad sender",
                "unknown sender", "sender unknown", "sender is not", "sender does not", "sender not",
                "sender address is", "from address", "mail from", "return path", "helo", "ehlo",
            ], unless: ["spam", "policy", "blocked", "block", "accept mail from"]),
        ReplyRule(
            .blockSpamPolicy,
            [
                "spam", "antispam", "unsolicited", "junk", "uce ", "ube ", "suspicious", "suspected", "phish", "scam",
                "fraud", "policy", "policies", "mailpolicy", "content rejected", "content filter", "message content",
                "contentfilter", "content restriction", "objectionable", "inappropriate", "prohibit", "unwanted",
                "abuse", "bulk mail", "bulk email", "looks like", "message rejected", "message refused",
                "mail rejected by", "message was rejected", "message has been rejected", "message is rejected",
                "message blocked", "message denied", "mail content denied", "content denied", "sender denied",
                "senderfilter", "restricted by", "security reasons", "security polic", "administrative prohibition",
                "administratively", "rejected by filter", "filter", "block", "denied by", "transaction failed due to",
            ], unless: ["relay denied"]),
    ]

    private static let recipient: [ReplyRule] = [
        ReplyRule(
            .hardBadDomain,
            [
                "domain does not exist", "domain doesnt exist", "domain not exist", "dns domain", "domain not found",
                "domain name not found", "domain is not found", "no such domain", "unknown domain", "domain unknown",
                "domain lookup fail", "domain invalid", "invalid domain", "domain is invalid", "domain has no",
                "domain does not accept", "domain not hosted", "domainnonexistent", "infodomainnonexistent",
                "nxdomain", "host not found", "host unknown", "unknown host", "bad destination host",
                "bad destination system", "no such host", "name or service not known", "name service error",
                "no mail server", "no mx", "null mx", "nullmx", "does not accept mail", "doesnt accept mail",
                "dns error", "unable to resolve", "could not resolve", "cannot resolve", "domain expired",
                "couldnt find any host", "couldnt find a mail exchanger", "mx records point",
            ], severity: .permanent),
        ReplyRule(
            .hardInactive,
            [
                "disabled", "inactive", "suspend", "deactivated", "discontinued", "dormant", "frozen",
                "no longer valid", "no longer active", "no longer available", "no longer in use", "no longer used",
                "no longer accept", "no longer on server", "not active", "account closed", "account is closed",
                "account has been closed", "account unavailable", "account is unavailable",
                "account is not available", "account not available", "terminated", "not activated", "account expired",
                "account is expired", "account has expired", "mailbox closed", "mailbox is closed", "mailbox expired",
                "account locked", "account is locked", "mailbox locked", "mailbox is locked", "not accepting mail",
                "not accepting message", "your message to cannot be delivered", "compte d\u{e9}sactiv",
                "compte desactiv",
            ]),
        ReplyRule(
            .hardBadMailbox,
            [
                "user unknown", "unknown user", "user is unknown", "user not known", "not a known user",
                "no such user", "no such account", "no such recipient", "no such mailbox", "no such address",
                "no such person", "no such local user", "no such email", "no mailbox", "no account", "no user",
                "user not found", "user was not found", "recipient not found", "mailbox not found",
                "address not found", "account not found", "recipient unknown", "unknown recipient", "address unknown",
                "unknown address", "addressee unknown", "unknown addressee", "unknown mailbox", "mailbox unknown",
                "unknown or illegal", "unknown account", "account unknown", "unknown local", "unknown email",
                "invalid recipient", "recipient invalid", "recipient is invalid", "invalid mailbox",
                "mailbox invalid", "mailbox is invalid", "invalid address", "address invalid", "address is invalid",
                "invalid email address", "invalid user", "bad destination mailbox", "bad destination email",
                "bad recipient", "bad mailbox", "not a valid recipient", "not a valid mailbox", "not a valid user",
                "not a valid address", "not a valid email", "not a valid rfc address", "not valid recipient",
                "recipient is not valid", "address is not valid", "user deleted", "user not local",
                "not our customer", "recipnotfound", "recipientnotfound", "undeliverable address",
                "address undeliverable", "unrouteable address", "unroutable address", "unrouteable recipient",
                "not in directory", "not our user", "doesnt handle mail for", "does not handle mail for",
                "no one by that name", "nobody by that name", "who are you looking for", "destinataire invalide",
                "destinataire inconnu", "utilisateur inconnu", "adresse inconnue", "adresse invalide",
                "benutzer unbekannt", "nicht bekannt", "unbekannter", "empf\u{e4}nger unbekannt",
                "usuario desconocido", "usuario inexistente", "usuario no existe", "sconosciuto", "utente non",
                "destinatario non", "onbekend", "user has been deleted", "account has been deleted",
                "mailbox has been deleted", "account was deleted", "mailbox was deleted", "not listed in public",
                "not listed in domino", "not listed in directory",
            ], unless: ["sender", "your domain", "command not found", "page not found"]),
        // What does not exist may also be a name of ours.
        ReplyRule(
            .hardBadMailbox,
            [
                "does not exist", "doesnt exist", "dosnt exist", "do not exist", "dont exist", "not exist",
                "non existent", "nonexistent", "inexistent", "no longer exist", "no existe", "n\u{e3}o existe",
                "nao existe", "inexistente", "non esiste",
            ], unless: ["domain", "dominio", "host", "mx ", "dns", "record", "ptr ", "sender"]),
        ReplyRule(.hardBadMailbox, ["mailbox unavailable", "mailbox not available"], severity: .permanent),
        ReplyRule(.hardBadMailbox, ["doesnt have a", "does not have a", "dont have a"], and: ["account", "mailbox"]),
        ReplyRule(
            .hardBadMailbox, ["recipient address rejected access denied"], severity: .permanent,
            statuses: [.init(4, 1)]),
        ReplyRule(
            .hardBadMailbox, ["address rejected", "recipient rejected"], unless: ["sender"], severity: .permanent,
            statuses: [.init(1, 0)]),
    ]

    /// Words too general to stand before those about the recipient.
    private static let rest: [ReplyRule] = [
        ReplyRule(
            .softRateLimited,
            [
                "limit exceed", "limits exceed", "exceeded limit", "exceeded the limit", "exceeding",
                "exceeded your limit",
            ]),
        ReplyRule(
            .softGreylist,
            [
                "try again in", "try again after", "retry in", "retry after", "come back", "wait and retry",
                "temporarily rejected", "try again later",
            ], severity: .temporary, statuses: [.init(7, 1), .init(2, 0)]),
        ReplyRule(
            .softGreylist,
            ["try again in seconds", "try again in minutes", "retry in seconds", "retry in minutes"],
            severity: .temporary),
        ReplyRule(.blockReputation, ["access denied", "not welcome"]),
        ReplyRule(.blockSpamPolicy, ["mail rejected", "mail rejete", "mail refuse"]),
        // Commands out of order or unknown: a quarrel of the programs.
        ReplyRule(.other, codes: [500, 502, 503, 504, 555]),
    ]

    /// Enhanced codes (RFC 3463, the IANA registry, and numbers that large receivers document).
    private static let statuses: [ReplyRule] = [
        ReplyRule(.hardBadMailbox, statuses: [.init(1, 1), .init(1, 3), .init(1, 6)]),
        ReplyRule(
            .hardBadDomain, severity: .permanent, statuses: [.init(1, 2), .init(1, 10), .init(4, 4), .init(4, 310)]),
        ReplyRule(.relayConfig, statuses: [.init(1, 7...9), .init(4, 6), .init(7, 8), .init(7, 120...139)]),
        ReplyRule(.hardInactive, statuses: [.init(2, 1)]),
        ReplyRule(.softMailboxFull, statuses: [.init(2, 2)]),
        ReplyRule(.messageTooLarge, statuses: [.init(2, 3), .init(3, 4)]),
        ReplyRule(.softRateLimited, statuses: [.init(4, 5), .init(5, 3), .init(7, 28)]),
        ReplyRule(.messageContent, statuses: [.init(6), .init(7, 17...19)]),
        ReplyRule(.tls, statuses: [.init(7, 10), .init(7, 29)]),
        ReplyRule(
            .blockAuth,
            statuses: [
                .init(7, 20...24), .init(7, 26...27), .init(7, 30...32), .init(7, 40), .init(7, 509), .init(7, 515),
            ]),
        ReplyRule(.blockReputation, statuses: [.init(7, 25), .init(7, 511), .init(7, 600...699)]),
        ReplyRule(
            .blockSpamPolicy, severity: .permanent, statuses: [.init(7, 0...1), .init(7, 9), .init(7, 500...599)]),
        ReplyRule(.softGreylist, severity: .temporary, statuses: [.init(7, 1)]),
    ]

    /// Reply codes that mean one thing wherever they are used (RFC 5321 §4.2.3, RFC 4954 §6, RFC 7504).
    private static let codes: [ReplyRule] = [
        ReplyRule(.relayConfig, codes: [530, 534, 535, 538]),
        ReplyRule(.tls, codes: [523]),
        ReplyRule(.hardBadDomain, codes: [521, 556]),
    ]
}
