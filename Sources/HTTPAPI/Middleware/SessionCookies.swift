import HTTPTypes
import Hummingbird
import Identity
import MailTypes

/// The cookies of a session: one with the token, one with the secret that brings the next. Besides, those of a browser that is on
/// the way to one: between password and second factor, while it waits for a code by mail, and once it is known by one. `__Host-`
/// binds them to this host and to TLS (RFC 6265bis §4.1.3.2), and no script reads them.
struct SessionCookies {
    let token: String?
    let refresh: String?

    /// Nil where the request has neither.
    init?(_ request: Request) {
        token = Self.value(Self.tokenName, of: request)
        refresh = Self.value(Self.refreshName, of: request)
        if token == nil, refresh == nil { return nil }
    }

    /// What a browser was given that has shown the password and not yet the second factor.
    static func step(_ request: Request) -> String? { value(stepName, of: request) }

    /// The secret of a browser that waits for a code by mail.
    static func code(of request: Request) -> String? { value(codeName, of: request) }

    /// The secret of a browser that somebody has signed in with by a code.
    static func device(of request: Request) -> String? { value(deviceName, of: request) }

    /// A name that comes twice counts as none: one of the two was put there by somebody else.
    private static func value(_ name: String, of request: Request) -> String? {
        var values: [Substring] = []
        for field in request.headers[values: .cookie] {
            for pair in field.split(separator: ";", maxSplits: mostCookies) {
                let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                guard parts.count == 2, parts[0].drop(while: { $0 == " " }) == name else { continue }
                values.append(parts[1])
            }
        }
        guard values.count == 1, let value = values.first, !value.isEmpty,
            value.utf8.count <= PeopleLimits.tokenOctets
        else { return nil }
        return String(value)
    }

    /// `Set-Cookie` fields that give a browser what it needs to go on.
    static func fields(_ secrets: SessionSecrets) -> [HTTPField] {
        var fields = [field(tokenName, secrets.token.exposed, seconds: PeopleLimits.tokenSeconds)]
        if let refresh = secrets.refresh {
            fields.append(field(refreshName, refresh.exposed, seconds: PeopleLimits.sessionSeconds))
        }
        return fields
    }

    /// `Set-Cookie` field that lets a browser go on to the second factor.
    static func field(_ step: SignInStep) -> HTTPField {
        field(stepName, step.text.exposed, seconds: PeopleLimits.stepSeconds)
    }

    /// `Set-Cookie` field that takes it away.
    static var stepRemoval: HTTPField { field(stepName, "", seconds: 0) }

    /// `Set-Cookie` fields that take both away.
    static var removal: [HTTPField] { [tokenName, refreshName].map { field($0, "", seconds: 0) } }

    static func code(_ secret: Redacted<String>) -> HTTPField {
        field(codeName, secret.exposed, seconds: PeopleLimits.codeSeconds)
    }

    static func device(_ secret: Redacted<String>) -> HTTPField {
        field(deviceName, secret.exposed, seconds: PeopleLimits.deviceSeconds)
    }

    static var codeRemoval: HTTPField { field(codeName, "", seconds: 0) }

    private static func field(_ name: String, _ value: String, seconds: Int64) -> HTTPField {
        HTTPField(
            name: .setCookie,
            value: "\(name)=\(value); Path=/; Max-Age=\(seconds); Secure; HttpOnly; SameSite=Strict")
    }

    private static let tokenName = "__Host-sluice-token"
    private static let refreshName = "__Host-sluice-refresh"
    private static let stepName = "__Host-sluice-step"
    private static let codeName = "__Host-sluice-code"
    private static let deviceName = "__Host-sluice-device"
    private static let mostCookies = 100
}
