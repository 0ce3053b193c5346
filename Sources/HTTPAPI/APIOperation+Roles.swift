package import Identity

/// Which role may do what.
///
/// Who may see may see all but keys and the entries of the ledger. A member prepares what costs nothing and can be taken back.
/// What sends, destroys, or lets others in on what happens is for managers; keys, money and people are for admins.
extension APIOperation {
    /// The least role whose users may ask for it; nil where no account is concerned, so that everybody may who gets there.
    package var leastRole: Role? {
        switch self {
        case .listCampaigns, .getCampaign, .listRecipients, .streamOutcomes, .quoteCampaign, .watchCampaign,
            .getCertificate, .listMailboxProviders, .getCredits, .listSuppressions, .exportSuppressions, .listDomains,
            .getDomain, .listDomainReports, .listWebhooks, .getWebhook, .listWebhookAttempts, .listMembers, .getLimits:
            .viewer
        case .createCampaign, .addRecipients, .addSuppressions, .importSuppressions, .verifyDomain: .member
        case .sendCampaign, .pauseCampaign, .resumeCampaign, .cancelCampaign, .deleteDraft, .removeSuppression,
            .addDomain, .removeDomain, .addDomainKey, .removeDomainKey, .addWebhook, .changeWebhook, .removeWebhook,
            .testWebhook, .replayWebhook:
            .manager
        case .listKeys, .createKey, .getKey, .revokeKey, .rotateWebhookSecret, .listEntries, .changeMember,
            .removeMember, .listInvitations, .createInvitation, .revokeInvitation:
            .admin
        // Whoever they are, people leave.
        case .leaveAccount: nil
        case .signIn, .finishSignIn, .confirmDevice, .requestPasswordCode, .resetPassword, .getSession, .signOut,
            .getSecondFactor, .beginSecondFactor, .confirmSecondFactor, .disableSecondFactor, .replaceRecoveryCodes,
            .joinAccount, .signUp, .finishSignUp, .reportFeedback, .confirmUnsubscribe, .unsubscribe, .joinPage,
            .signInPage, .passwordPage, .signUpPage, .pageScript, .health, .openAPI:
            nil
        }
    }
}
