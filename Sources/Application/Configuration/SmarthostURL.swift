import Delivery
import Foundation
import SMTPProtocol
import SMTPTransport
import StrictYAML

/// `smtp://[user:password@]host[:port]`, port 25 by default; `smtps://…` for TLS from the first octet, port 465 by
/// default (RFC 8314 §3.3).
struct SmarthostURL {
    /// What is wrong with a URL, or with the TLS that it is to have.
    struct Mistake: Error {
        let problem: String
    }

    let host: String
    let port: Int
    let isImplicitTLS: Bool
    let credentials: SMTPCredentials?

    init(_ text: String) throws(Mistake) {
        guard let url = URLComponents(string: text), let scheme = url.scheme, ["smtp", "smtps"].contains(scheme),
            let host = url.host, !host.isEmpty, (1...65_535).contains(url.port ?? 25),
            url.path.isEmpty || url.path == "/", url.query == nil, url.fragment == nil
        else {
            throw Mistake(problem: "a route looks like smtp://host:port, or smtps://host:port with TLS at once")
        }
        isImplicitTLS = scheme == "smtps"
        self.host = host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
        port = url.port ?? (isImplicitTLS ? 465 : 25)
        guard let user = url.user else {
            credentials = nil
            return
        }
        guard let password = url.password else { throw Mistake(problem: "a user needs a password") }
        credentials = SMTPCredentials(username: user, password: password)
    }

    /// A login goes only to a host whose certificate proves its name, unless the operator asks for less.
    ///
    /// - Parameter tls: as asked for; nil for what is sensible.
    func smarthost(credentials: SMTPCredentials?, tls: SMTPTLSPolicy?) throws(Mistake) -> Smarthost {
        var smarthost = Smarthost(host: host, port: port, credentials: credentials)
        let needsTLS = credentials != nil || isImplicitTLS
        smarthost.tls = tls ?? (needsTLS ? .required(verify: true) : nil)
        if needsTLS, smarthost.tls?.allowsPlaintext == true {
            throw Mistake(problem: "\(host): a login and smtps need TLS: encrypted or verified")
        }
        smarthost.startsWithTLS = isImplicitTLS
        return smarthost
    }
}

extension SmarthostURL {
    init(_ value: YAMLValue) throws(YAMLError) {
        let text = try value.word()
        do throws(Mistake) {
            try self.init(text)
        } catch {
            throw value.error(error.problem)
        }
    }

    /// - Parameter place: where too little TLS was asked for.
    func smarthost(
        credentials: SMTPCredentials?, tls: SMTPTLSPolicy?, at place: YAMLValue
    ) throws(YAMLError) -> Smarthost {
        do throws(Mistake) {
            return try smarthost(credentials: credentials, tls: tls)
        } catch {
            throw place.error(error.problem)
        }
    }
}
