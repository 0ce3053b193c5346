import Identity

/// What the mails of the installation say: templates of the language of campaigns.
struct InstallationMailWords {
    let subject: String
    let text: String
    let html: String
    /// After so long the mail is of no use any more.
    let expirySeconds: Int

    static func of(_ purpose: PendingMail.Purpose) -> InstallationMailWords {
        switch purpose {
        case .invitation: invitation
        case .passwordCode:
            code(
                subject: "Your code for a new password",
                reason: "Somebody, probably you, wants to choose a new password.",
                otherwise: "If it was not you, do nothing: your password stays as it is.")
        case .deviceCode:
            code(
                subject: "Your code to sign in", reason: "You are signing in with a browser that is new to us.",
                otherwise: "If it was not you, somebody knows your password: choose another one now.")
        case .signUpCode:
            code(
                subject: "Your code to open an account",
                reason: "Somebody, probably you, wants to open an account with this address.",
                otherwise: "If it was not you, do nothing: there will be no account.")
        case .addressInUse: addressInUse
        }
    }

    private static let invitation = InstallationMailWords(
        // Without a word that anybody has chosen.
        subject: "Invitation to an account",
        text: """
            {{#inviter}}{{inviter}} invites you{{/inviter}}{{^inviter}}You are invited{{/inviter}} to work with the account {{account}}.

            Open this link within seven days to join:

            {{{link}}}

            The link is for you alone and works once. If you do not want to join, do nothing.
            """,
        html: page(
            """
            <p>{{#inviter}}{{inviter}} invites you{{/inviter}}{{^inviter}}You are invited{{/inviter}} to work with the account
            <b>{{account}}</b>.</p>
            <p><a href="{{{link}}}">Join within seven days</a></p>
            <p>The link is for you alone and works once. If you do not want to join, do nothing.</p>
            """),
        // What its receiver does not take soon must not keep the place of codes.
        expirySeconds: 3_600)

    private static let addressInUse = InstallationMailWords(
        subject: "You have an account already",
        text: """
            Somebody, probably you, wanted to open an account with this address. It signs in here already:

            {{{link}}}

            If you have forgotten your password, choose a new one:

            {{{password_link}}}

            If it was not you, do nothing: nothing was changed.
            """,
        html: page(
            """
            <p>Somebody, probably you, wanted to open an account with this address. It
            <a href="{{{link}}}">signs in here already</a>.</p>
            <p>If you have forgotten your password, <a href="{{{password_link}}}">choose a new one</a>.</p>
            <p>If it was not you, do nothing: nothing was changed.</p>
            """),
        expirySeconds: Int(PeopleLimits.codeSeconds))

    private static func code(subject: String, reason: String, otherwise: String) -> InstallationMailWords {
        InstallationMailWords(
            subject: subject,
            text: """
                \(reason) The code is

                {{code}}

                It is good for ten minutes, once, in the browser that has asked for it. Tell it to nobody. \(otherwise)
                """,
            html: page(
                """
                <p>\(reason) The code is</p>
                <p style="font-size: 150%"><b>{{code}}</b></p>
                <p>It is good for ten minutes, once, in the browser that has asked for it. Tell it to nobody.</p>
                <p>\(otherwise)</p>
                """),
            expirySeconds: Int(PeopleLimits.codeSeconds))
    }

    private static func page(_ body: String) -> String {
        """
        <!doctype html>
        <html lang="en"><head><meta charset="utf-8"><title></title></head>
        <body style="font-family: sans-serif; line-height: 1.5">
        \(body)
        </body></html>
        """
    }
}
