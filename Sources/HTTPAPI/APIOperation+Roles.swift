package import Identity

/// Which role may do what.
///
/// Who may see may see all but keys and the entries of the ledger. A member prepares what costs nothing and can be taken back.
/// What sends, destroys, or lets others in on what happens is for managers; keys, money, people and their sessions are for admins,
/// and what is asked of everybody for owners.
extension APIOperation {
    /// The least role whose users may ask for it; nil where no account is concerned, so that everybody may who gets there.
    package var leastRole: Role? {
        switch self {
        case .listCampaigns, .getCampaign, .listRecipients, .streamOutcomes, .quoteCampaign, .watchCampaign,
            .getCertificate, .listMailboxProviders, .getCredits, .listSuppressions, .exportSuppressions, .listDomains,
            .getDomain, .listDomainReports, .listWebhooks, .getWebhook, .listWebhookAttempts, .listMembers, .getAccount,
            .getLimits:
            .viewer
        case .createCampaign, .addRecipients, .addSuppressions, .importSuppressions, .verifyDomain: .member
        case .sendCampaign, .pauseCampaign, .resumeCampaign, .cancelCampaign, .deleteDraft, .removeSuppression,
            .addDomain, .removeDomain, .addDomainKey, .removeDomainKey, .addWebhook, .changeWebhook, .removeWebhook,
            .testWebhook, .replayWebhook:
            .manager
        case .listKeys, .createKey, .getKey, .revokeKey, .rotateWebhookSecret, .listEntries, .changeMember,
            .removeMember, .listInvitations, .createInvitation, .revokeInvitation, .endMemberSessions, .listSessions,
            .endSessions, .endSession:
            .admin
        case .changeAccount: .owner
        // Whoever they are, people leave.
        case .leaveAccount: nil
        case .signIn, .finishSignIn, .confirmDevice, .requestPasswordCode, .resetPassword, .getSession, .signOut,
            .listOwnSessions, .endOwnSessions, .endOwnSession, .getSecondFactor, .beginSecondFactor,
            .confirmSecondFactor, .disableSecondFactor, .replaceRecoveryCodes, .joinAccount, .signUp, .finishSignUp,
            .reportFeedback, .confirmUnsubscribe, .unsubscribe, .joinPage, .signInPage, .passwordPage, .signUpPage,
            .pageScript, .health, .openAPI:
            nil
        }
    }

    /// Whether people may ask for it who lack a second factor that is demanded of them: to see who they are, add one and sign
    /// out.
    package var isForEnrolment: Bool {
        switch self {
        case .getSession, .signOut, .getSecondFactor, .beginSecondFactor, .confirmSecondFactor: true
        default: false
        }
    }
}
