package import HTTPTypes
package import Identity

/// Everything that the API does, and the one place that says what a caller needs for it.
///
/// A route can only be added as one of these, and each has its line in ``access`` and in ``leastRole``: without them nothing
/// compiles. Names and paths are those of docs/openapi.yaml.
package enum APIOperation: String, Sendable, CaseIterable {
    case createCampaign = "POST /v1/campaigns"
    case listCampaigns = "GET /v1/campaigns"
    case getCampaign = "GET /v1/campaigns/{id}"
    case deleteDraft = "DELETE /v1/campaigns/{id}"
    case addRecipients = "POST /v1/campaigns/{id}/recipients"
    case listRecipients = "GET /v1/campaigns/{id}/recipients"
    case streamOutcomes = "GET /v1/campaigns/{id}/outcomes"
    case quoteCampaign = "GET /v1/campaigns/{id}/quote"
    case sendCampaign = "POST /v1/campaigns/{id}/send"
    case pauseCampaign = "POST /v1/campaigns/{id}/pause"
    case resumeCampaign = "POST /v1/campaigns/{id}/resume"
    case cancelCampaign = "POST /v1/campaigns/{id}/cancel"
    case watchCampaign = "GET /v1/campaigns/{id}/events"
    case getCertificate = "GET /v1/campaigns/{id}/certificate"

    case listMailboxProviders = "GET /v1/mailbox-providers"

    case getCredits = "GET /v1/credits"
    case listEntries = "GET /v1/credits/entries"

    case listSuppressions = "GET /v1/suppressions"
    case addSuppressions = "POST /v1/suppressions"
    case importSuppressions = "POST /v1/suppressions/import"
    case exportSuppressions = "GET /v1/suppressions/export"
    case removeSuppression = "DELETE /v1/suppressions/{address}"

    case listDomains = "GET /v1/domains"
    case addDomain = "POST /v1/domains"
    case getDomain = "GET /v1/domains/{domain}"
    case removeDomain = "DELETE /v1/domains/{domain}"
    case listDomainReports = "GET /v1/domains/{domain}/reports"
    case verifyDomain = "POST /v1/domains/{domain}/verify"
    case addDomainKey = "POST /v1/domains/{domain}/keys"
    case removeDomainKey = "DELETE /v1/domains/{domain}/keys/{selector}"

    case listWebhooks = "GET /v1/webhooks"
    case addWebhook = "POST /v1/webhooks"
    case getWebhook = "GET /v1/webhooks/{id}"
    case changeWebhook = "PATCH /v1/webhooks/{id}"
    case removeWebhook = "DELETE /v1/webhooks/{id}"
    case rotateWebhookSecret = "POST /v1/webhooks/{id}/rotate"
    case testWebhook = "POST /v1/webhooks/{id}/test"
    case replayWebhook = "POST /v1/webhooks/{id}/replay"
    case listWebhookAttempts = "GET /v1/webhooks/{id}/attempts"

    case listKeys = "GET /v1/keys"
    case createKey = "POST /v1/keys"
    case getKey = "GET /v1/keys/{id}"
    case revokeKey = "DELETE /v1/keys/{id}"

    case listMembers = "GET /v1/members"
    case changeMember = "PATCH /v1/members/{id}"
    case removeMember = "DELETE /v1/members/{id}"
    case endMemberSessions = "DELETE /v1/members/{id}/sessions"
    case listInvitations = "GET /v1/invitations"
    case createInvitation = "POST /v1/invitations"
    case revokeInvitation = "DELETE /v1/invitations/{id}"
    case joinAccount = "POST /v1/membership"
    case leaveAccount = "DELETE /v1/membership"

    case listSessions = "GET /v1/sessions"
    case endSessions = "DELETE /v1/sessions"
    case endSession = "DELETE /v1/sessions/{id}"

    case getAccount = "GET /v1/account"
    case changeAccount = "PATCH /v1/account"
    case getLimits = "GET /v1/limits"

    case signIn = "POST /v1/session"
    case finishSignIn = "POST /v1/session/second-factor"
    case confirmDevice = "POST /v1/session/code"
    case requestPasswordCode = "POST /v1/password/code"
    case resetPassword = "POST /v1/password"
    case signUp = "POST /v1/signup"
    case finishSignUp = "POST /v1/signup/code"
    case getSession = "GET /v1/session"
    case signOut = "DELETE /v1/session"

    case listOwnSessions = "GET /v1/me/sessions"
    case endOwnSessions = "DELETE /v1/me/sessions"
    case endOwnSession = "DELETE /v1/me/sessions/{id}"
    case getSecondFactor = "GET /v1/me/second-factor"
    case beginSecondFactor = "POST /v1/me/second-factor"
    case confirmSecondFactor = "POST /v1/me/second-factor/confirm"
    case disableSecondFactor = "POST /v1/me/second-factor/disable"
    case replaceRecoveryCodes = "POST /v1/me/recovery-codes"

    case reportFeedback = "POST /v1/feedback/{provider}/{secret}"
    case confirmUnsubscribe = "GET /u/{token}"
    case unsubscribe = "POST /u/{token}"
    case joinPage = "GET /join"
    case signInPage = "GET /sign-in"
    case passwordPage = "GET /password"
    case signUpPage = "GET /sign-up"
    case pageScript = "GET /pages.js"
    case health = "GET /health"
    case openAPI = "GET /openapi.yaml"

    /// Who may ask for it.
    package enum Access: Sendable, Hashable {
        /// Anybody, or whoever knows the secret that the path holds.
        case open
        /// A key with the scope, or a person with the role of ``leastRole``.
        case key(Scope)
        /// A person who has signed in, with the role of ``leastRole`` where there is one. No key stands for a person, so none may
        /// do this.
        case person
    }

    package var access: Access {
        switch self {
        case .createCampaign, .deleteDraft, .addRecipients: .key(.campaignsWrite)
        case .listCampaigns, .getCampaign, .listRecipients, .streamOutcomes, .quoteCampaign, .watchCampaign,
            .getCertificate, .listMailboxProviders:
            .key(.campaignsRead)
        case .sendCampaign, .pauseCampaign, .resumeCampaign, .cancelCampaign: .key(.campaignsSend)
        case .getCredits, .listEntries: .key(.creditsRead)
        case .listSuppressions, .exportSuppressions: .key(.suppressionsRead)
        case .addSuppressions, .importSuppressions, .removeSuppression: .key(.suppressionsWrite)
        case .listDomains, .getDomain, .listDomainReports: .key(.domainsRead)
        case .addDomain, .removeDomain, .verifyDomain, .addDomainKey, .removeDomainKey: .key(.domainsWrite)
        case .listWebhooks, .getWebhook, .listWebhookAttempts: .key(.webhooksRead)
        case .addWebhook, .changeWebhook, .removeWebhook, .rotateWebhookSecret, .testWebhook, .replayWebhook:
            .key(.webhooksWrite)
        case .listKeys, .getKey: .key(.keysRead)
        case .createKey, .revokeKey: .key(.keysWrite)
        case .getLimits: .key(.limitsRead)
        case .listMembers, .changeMember, .removeMember, .leaveAccount, .listInvitations, .createInvitation,
            .revokeInvitation, .endMemberSessions, .listSessions, .endSessions, .endSession, .getAccount,
            .changeAccount, .getSession, .signOut, .listOwnSessions, .endOwnSessions, .endOwnSession, .getSecondFactor,
            .beginSecondFactor, .confirmSecondFactor, .disableSecondFactor, .replaceRecoveryCodes:
            .person
        case .signIn, .finishSignIn, .confirmDevice, .requestPasswordCode, .resetPassword, .signUp, .finishSignUp,
            .joinAccount, .reportFeedback, .confirmUnsubscribe, .unsubscribe, .joinPage, .signInPage, .passwordPage,
            .signUpPage, .pageScript, .health, .openAPI:
            .open
        }
    }

    /// Whether it looks up a row or two, and makes a few hundred octets of them: so little that it is answered on the thread of
    /// its connection (``ThreadMiddleware``).
    var isSmallRead: Bool {
        switch self {
        case .getCredits, .getCampaign, .getKey: true
        default: false
        }
    }

    package var method: HTTPRequest.Method {
        HTTPRequest.Method(String(rawValue.prefix { $0 != " " })) ?? .get
    }

    /// With the names of its parameters in braces.
    package var path: String { String(rawValue.drop { $0 != " " }.dropFirst()) }
}
