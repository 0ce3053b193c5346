import Delivery
import MailTypes
import SMTPTransport
import TLSPolicies

extension ServerConfiguration {
    static func tlsRequirement(_ settings: Settings) throws(SettingError) -> TLSRequirement {
        let text = settings.value(.tls)
        guard let requirement = TLSRequirement(rawValue: text), requirement != .requireTLS else {
            throw SettingError(
                setting: .tls, problem: "\(text) is none of opportunistic, encrypted, verified and dane")
        }
        return requirement
    }

    /// What the operator demands of connections to smarthosts; nil if nothing was said.
    static func smarthostTLS(_ settings: Settings) throws(SettingError) -> SMTPTLSPolicy? {
        guard settings.text(.tls) != nil else { return nil }
        return switch try tlsRequirement(settings) {
        // DANE speaks of recipients' own servers.
        case .dane, .requireTLS: nil
        case .opportunistic: .opportunistic
        case .encrypted: .required(verify: false)
        case .verified: .required(verify: true)
        }
    }

    /// The smarthosts and the rules of domains.
    static func routes(_ settings: Settings) throws -> Routes {
        let tls = try smarthostTLS(settings)
        guard let file = settings.text(.routes) else {
            guard let text = settings.text(.route) else { return Routes() }
            do throws(SmarthostURL.Mistake) {
                let url = try SmarthostURL(text)
                return Routes(smarthosts: [try url.smarthost(credentials: url.credentials, tls: tls)])
            } catch {
                throw SettingError(setting: .route, problem: error.problem)
            }
        }
        guard settings.text(.route) == nil else {
            throw SettingError(setting: .routes, problem: "route and routes exclude each other")
        }
        return try RoutesFile(path: file, tls: tls).read()
    }
}
