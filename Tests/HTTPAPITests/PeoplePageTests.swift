import Crypto
import Foundation
import HTTPAPI
import HTTPTypes
import Identity
import Passwords
import TestSupport
import Testing

/// The pages of people, as far as no browser is needed to judge them.
@Suite struct PeoplePageTests {
    static let paths = ["/join", "/sign-in", "/password", "/sign-up"]

    private static func digest(_ text: some StringProtocol) -> String {
        "sha256-" + Data(SHA256.hash(data: Data(text.utf8))).base64EncodedString()
    }

    @Test(arguments: paths) func `a page lets through its own style and our script, and is sent nowhere`(
        _ path: String
    ) async throws {
        try await APIFixture.shared().withPages { api in
            let page = try await api.get(path)
            #expect(page.status == 200 && page.headers[.contentType] == "text/html; charset=utf-8")
            page.expectHeaders()
            #expect(page.headers[HTTPField.Name("Cross-Origin-Opener-Policy")!] == "same-origin")
            let style = try #require(page.text.firstMatch(of: /<style>(.*)<\/style>/)?.1)
            #expect(
                page.headers[.contentSecurityPolicy]
                    == """
                    default-src 'none'; style-src '\(Self.digest(style))'; script-src 'self'; connect-src 'self'; \
                    form-action 'none'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'
                    """)
            let script = try await api.get("/pages.js")
            #expect(script.status == 200 && script.headers[.contentType] == "text/javascript; charset=utf-8")
            script.expectHeaders()
            #expect(
                page.text.matches(of: /<script[^>]*>[^<]*/).map { String($0.0) }
                    == [#"<script src="/pages.js" integrity="\#(Self.digest(script.text))" defer>"#])
            #expect(page.text.firstMatch(of: #/ on[a-z]+=| style=|href="(?!/)/#) == nil)
            #expect(page.headers[values: .setCookie].isEmpty)
            try await api.post(path).expectProblem(405, "method_not_allowed")
        }
    }

    @Test(arguments: paths) func `each field has a label, and browsers know what it is for`(_ path: String) async throws
    {
        try await APIFixture.shared().withPages { api in
            let page = try await api.get(path).text
            #expect(page.contains(#"<html lang="en">"#) && page.contains("width=device-width"))
            let fields = page.matches(of: /<input id="([^"]+)" name="[^"]+"([^>]*)>/)
            #expect(!fields.isEmpty && fields.count == page.ranges(of: "<input").count)
            #expect(Set(fields.map(\.1)).count == fields.count)
            for field in fields {
                #expect(page.contains(#"<label for="\#(field.1)">"#), "\(field.1)")
                #expect(field.2.contains("autocomplete="), "\(field.1)")
                if let hint = field.2.firstMatch(of: /aria-describedby="([^"]+)"/) {
                    #expect(page.contains(#"<small id="\#(hint.1)">"#))
                }
            }
        }
    }

    /// A form whose fields the call does not know, or that lacks one, could not be sent by anybody.
    @Test(arguments: paths) func `each form has the fields of the call that it is posted to`(_ path: String)
        async throws
    {
        try await APIFixture.shared().withPages { api in
            let page = try await api.get(path).text
            let forms = page.matches(of: /<form id="([^"]+)" method="post" data-post="([^"]+)" hidden>(.*?)<\/form>/)
            #expect(!forms.isEmpty && forms.count == page.ranges(of: "<form").count)
            for form in forms {
                var members = Dictionary(
                    uniqueKeysWithValues: form.3.matches(of: #/ name="([^"]+)"/#).map { (String($0.1), "x") })
                if form.1 == "join" { members["secret"] = "x" }
                let body = String(decoding: try JSONEncoder().encode(members), as: UTF8.self)
                let answer = try await api.call(
                    .post, String(form.2), body: body, headers: ["Cookie": "__Host-sluice-step=x"])
                #expect(
                    ![401, 404, 405].contains(answer.status) || answer.code == "sign_in_refused"
                        || answer.code == "sign_in_step_over", "\(form.2): \(answer.text)")
                #expect(
                    !["missing_field", "unknown_field", "invalid_field"].contains(answer.code),
                    "\(form.1): \(answer.text)")
            }
        }
    }

    @Test func `the script has words for what these calls refuse, and for no code that there is not`() throws {
        let words = Set(PageScript.text.matches(of: /\n {8}([a-z_]+): "/).map { String($0.1) })
        let page = try String(contentsOfFile: ProjectFolder.path + "/docs/errors.md", encoding: .utf8)
        let documented = Set(page.matches(of: /\n\| `([a-z0-9_]+)` \|/).map { String($0.1) })
        #expect(words.subtracting(documented) == [])
        let refusals: [any Error] = [
            SignInError.refused, SignInError.stepOver, SignInError.codeRefused, SignInError.tooMany(seconds: 1),
            SignInError.tooManyCodes(seconds: 1), SignInError.busy, SignUpError.closed, SignUpError.invalidAccountName,
            SignUpError.tooMany(seconds: 1), MailCodeError.refused, MailCodeError.over, UserError.addressTaken,
            UserError.tooManyUsers, UserError.invalidAddress, UserError.invalidName, InvitationError.over,
            InvitationError.noMail, PasswordError.tooShort, PasswordError.tooLong, PasswordError.unreadable,
            PasswordError.tooCommon,
        ]
        for error in refusals { #expect(words.contains(Problem(describing: error).code), "\(error)") }
    }
}
