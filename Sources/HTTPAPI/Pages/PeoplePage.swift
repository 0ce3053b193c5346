import Crypto
import Foundation
import HTTPTypes
import Hummingbird
import NIOCore

/// A page on which people join, sign in, choose a new password or sign up: forms in plain HTML, and ``PageScript``, which posts them
/// to the API. What they hold is the same for everybody.
///
/// The policy lets through the page's own style by digest, scripts of this server, and calls of it. No form is ever sent by the
/// browser itself: where the script does not run, a password would stand in an address.
struct PeoplePage: Sendable {
    enum Kind: Sendable {
        /// Behind the link of an invitation, whose secret stands behind `#`.
        case join
        case signIn
        case password
        case signUp
        /// Instead of ``signUp``, where the operator makes the accounts.
        case signUpClosed
    }

    let kind: Kind
    /// Whether a forgotten password can be replaced by mail.
    let hasMail: Bool
    /// Whether strangers may sign up.
    let takesStrangers: Bool

    private var id: String {
        switch kind {
        case .join: "join-page"
        case .signIn: "sign-in-page"
        case .password: "password-page"
        case .signUp, .signUpClosed: "sign-up-page"
        }
    }

    private var title: String {
        switch kind {
        case .join: "Join an account"
        case .signIn: "Sign in"
        case .password: "New password"
        case .signUp: "Sign up"
        case .signUpClosed: "Nobody can sign up here"
        }
    }

    private var content: String {
        switch kind {
        case .join:
            Form(
                id: "join", post: .joinAccount, button: "Join",
                fields: [
                    .text("name", "Your name, if you like", autocomplete: "name", isRequired: false), .newPassword,
                ]
            ).html
        case .signIn: [signIn, secondFactor, recovery, Self.code(.confirmDevice), Self.inside, ways].joined()
        case .password:
            Form(id: "ask", post: .requestPasswordCode, button: "Mail me a code", fields: [.address]).html
                + Form(
                    id: "code", post: .resetPassword, button: "Set the password", note: Self.mailed,
                    fields: [.code, .newPassword]
                ).html
                + #"<section id="done" hidden><p role="status">Your new password is set.</p>\#(Self.toSignIn)</section>"#
        case .signUp:
            Form(
                id: "ask", post: .signUp, button: "Mail me a code",
                fields: [
                    .address, .newPassword,
                    .text("account", "What the account is called", autocomplete: "organization"),
                ]
            ).html + Self.code(.finishSignUp) + Self.toSignIn
        case .signUpClosed: "<p>Whoever runs this server makes the accounts.</p>" + Self.toSignIn
        }
    }

    // MARK: Signing in

    private var signIn: String {
        Form(id: "sign-in", post: .signIn, button: "Sign in", fields: [.address, .password]).html
    }

    private var secondFactor: String {
        Form(
            id: "second-factor", post: .finishSignIn, button: "Sign in",
            note: "Type the code that your app shows.", fields: [.code],
            other: (show: "recovery", button: "Use a recovery code")
        ).html
    }

    private var recovery: String {
        Form(
            id: "recovery", post: .finishSignIn, button: "Sign in",
            fields: [.text("recovery_code", "Recovery code", autocomplete: "off")],
            other: (show: "second-factor", button: "Use the app")
        ).html
    }

    private static let inside = """
        <section id="inside" hidden><p role="status">You are signed in as <b id="who"></b>, with the role \
        <b id="role"></b>.</p><button>Sign out</button></section>
        """

    private var ways: String {
        var links: [String] = []
        if hasMail { links.append(#"<a href="/password">Forgotten your password?</a>"#) }
        if takesStrangers { links.append(#"<a href="/sign-up">Open an account</a>"#) }
        return links.isEmpty ? "" : "<p>\(links.joined(separator: " · "))</p>"
    }

    private static let toSignIn = #"<p><a href="/sign-in">Sign in</a></p>"#
    private static let mailed = "A mail is on its way to you. Its code is good for ten minutes, in this browser."

    private static func code(_ operation: APIOperation) -> String {
        Form(id: "code", post: operation, button: "Go on", note: mailed, fields: [.code]).html
    }

    // MARK: The whole

    private static let style = """
        :root{color-scheme:light dark;font:100%/1.5 system-ui,sans-serif}\
        body{margin:0 auto;max-width:26rem;padding:2rem 1rem}\
        label{display:block;margin:1rem 0 .25rem}\
        input{font:inherit;box-sizing:border-box;width:100%;min-height:2.75rem;padding:.25rem .5rem}\
        button{font:inherit;min-height:2.75rem;margin:1rem .5rem 0 0;padding:.5rem 1.5rem;cursor:pointer}\
        small{display:block}[role=alert]{border-left:.25rem solid;padding-left:.75rem}[hidden]{display:none}\
        b{overflow-wrap:anywhere}
        """

    private static let policy: String = {
        let digest = Data(SHA256.hash(data: Data(style.utf8))).base64EncodedString()
        return """
            default-src 'none'; style-src 'sha256-\(digest)'; script-src 'self'; connect-src 'self'; form-action 'none'; \
            base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'
            """
    }()

    private var html: String {
        """
        <!doctype html><html lang="en"><head><meta charset="utf-8"><title>\(title)</title>\
        <meta name="viewport" content="width=device-width,initial-scale=1"><meta name="robots" content="noindex">\
        <style>\(Self.style)</style>\
        <script src="\(APIOperation.pageScript.path)" integrity="\(PageScript.integrity)" defer></script></head>\
        <body><main id="\(id)"><h1>\(title)</h1><noscript><p>This page needs JavaScript.</p></noscript>\
        <p id="problem" role="alert" hidden></p>\(content)</main></body></html>
        """
    }

    func response() -> Response {
        var headers: HTTPFields = [
            .contentType: "text/html; charset=utf-8", .contentLanguage: "en", .contentSecurityPolicy: Self.policy,
        ]
        // No page that has opened this one keeps a hold on it.
        headers[.crossOriginOpenerPolicy] = "same-origin"
        headers[.robotsTag] = "noindex, nofollow"
        return Response(
            status: kind == .signUpClosed ? .notFound : .ok, headers: headers,
            body: ResponseBody(byteBuffer: ByteBuffer(string: html)))
    }
}

/// A step of a page. The names of its fields are those of the call's body.
private struct Form {
    let id: String
    let post: APIOperation
    let button: String
    var note: String?
    let fields: [Field]
    /// Another step that does the same.
    var other: (show: String, button: String)?

    struct Field {
        let name: String
        let label: String
        let attributes: String
        var hint: String?

        static let address = Field(
            name: "email", label: "Email address", attributes: #"type="email" autocomplete="username" required"#)
        static let password = Field(
            name: "password", label: "Password",
            attributes: #"type="password" autocomplete="current-password" required"#)
        static let newPassword = Field(
            name: "password", label: "New password",
            attributes: #"type="password" autocomplete="new-password" required"#,
            hint: "12 characters at least")
        static let code = Field(
            name: "code", label: "Code", attributes: #"inputmode="numeric" autocomplete="one-time-code" required"#)

        static func text(_ name: String, _ label: String, autocomplete: String, isRequired: Bool = true) -> Field {
            Field(
                name: name, label: label,
                attributes: #"autocomplete="\#(autocomplete)""# + (isRequired ? " required" : ""))
        }

        func html(of form: String) -> String {
            let id = "\(form)-\(name)"
            let label = #"<label for="\#(id)">\#(label)</label>"#
            guard let hint else { return #"\#(label)<input id="\#(id)" name="\#(name)" \#(attributes)>"# }
            return """
                \(label)<input id="\(id)" name="\(name)" \(attributes) aria-describedby="\(id)-hint">\
                <small id="\(id)-hint">\(hint)</small>
                """
        }
    }

    var html: String {
        var parts = [#"<form id="\#(id)" method="post" data-post="\#(post.path)" hidden>"#]
        if let note { parts.append("<p>\(note)</p>") }
        parts += fields.map { $0.html(of: id) }
        parts.append("<button>\(button)</button>")
        if let other { parts.append(#"<button type="button" data-show="\#(other.show)">\#(other.button)</button>"#) }
        return parts.joined() + "</form>"
    }
}
