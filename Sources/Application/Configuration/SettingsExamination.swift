import Delivery
import Foundation
import Logging
import Postgres

/// Looks for settings that a start refuses, and for those that are fine for a trial and not for production.
struct SettingsExamination {
    let settings: Settings
    /// Seconds since 1970.
    var now = Int64(Date().timeIntervalSince1970)

    /// - Throws: ``SettingError`` where a start would.
    func findings() throws -> [Finding] {
        // The format is looked at, and nothing is written.
        _ = try settings.logger("sluice")
        let logger = try settings.logger("sluice") { _ in SwiftLogNoOpLogHandler() }
        try settings.refusePlainDatabases(logger)
        _ = try settings.refundSeconds()
        let configuration = try ServerConfiguration(
            settings, descriptors: FileDescriptorBudget(limit: .max), logger: logger)
        let found = try insisting() + transport(configuration) + telling(configuration)
        return found.contains { $0.level == .problem } ? found : [Finding(.good, "the settings are sound")] + found
    }

    /// What an operator insists on although it is unsafe.
    private func insisting() throws -> [Finding] {
        let unsafe: [(Setting, String)] = [
            (.allowUnsafeDatabase, "what was answered for may be lost, or read on its way to the database"),
            (.allowPrivateDestinations, "customers reach hosts of private networks"),
            (.trustDomains, "customers send as domains that are not theirs"),
            (.force, "a public listener may be unsafe without being refused"),
        ]
        return try unsafe.filter { try settings.flag($0.0) }.map { setting, consequence in
            Finding(.problem, "setting \(setting.key): \(consequence)", advice: "for trials only: leave it out")
        }
    }

    private func transport(_ configuration: ServerConfiguration) -> [Finding] {
        var found: [Finding] = []
        if let ordered = configuration.certificates as? OrderedCertificate {
            found += reach(ordered.settings, configuration)
        } else if let end = (configuration.certificates as? CertificateFiles)?.expiry() {
            let days = (end - now) / 86_400
            if end <= now {
                found.append(
                    Finding(.problem, "setting tls_certificate: the certificate has expired", advice: "renew it"))
            } else if days < Self.daysOfWarning {
                found.append(
                    Finding(.note, "setting tls_certificate: the certificate ends in \(days) days", advice: "renew it"))
            }
        } else if configuration.roles.contains(.api), configuration.proxies.isEmpty {
            found.append(
                Finding(
                    .note, "setting http: plain HTTP, for this machine alone",
                    advice: "others need acme or tls_certificate, or a proxy that trusted_proxies names"))
        }
        for setting in [Setting.databaseURL, .vaultDatabaseURL] {
            guard let url = settings.text(setting), let parameters = try? ConnectionParameters(url),
                ["require", "verify-ca"].contains(parameters["sslmode"])
            else { continue }
            found.append(
                Finding(
                    .note, "setting \(setting.key): the server's name is not verified",
                    advice: "use sslmode=verify-full"))
        }
        return found
    }

    /// An authority comes to ports 80 and 443 and to no others.
    private func reach(_ acme: ACMESettings, _ configuration: ServerConfiguration) -> [Finding] {
        guard configuration.roles.contains(.api) else {
            return [Finding(.note, "setting acme: this node has no role api: another one must order the certificate")]
        }
        var found = [
            Finding(
                .note, "setting acme: a certificate for \(acme.names) is ordered; sluice doctor says what came of it")
        ]
        if configuration.http.port != 443, configuration.httpRedirect?.port != 80 {
            found.append(
                Finding(
                    .note, "setting http: the authority comes to port 443, or to port 80, and nothing listens there",
                    advice: "have one of them forwarded to this node's http or http_redirect"))
        }
        return found
    }

    /// What is told to whom.
    private func telling(_ configuration: ServerConfiguration) throws -> [Finding] {
        var found: [Finding] = []
        if configuration.roles.contains(.delivery), configuration.delivery.publicURL == nil {
            found.append(
                Finding(.note, "setting public_url: none, so that messages carry no unsubscribe link"))
        }
        let strangers = try settings.signUpsPerDay()
        if strangers > 0 {
            found.append(
                Finding(
                    .note,
                    "setting sign_ups_per_day: strangers open accounts without credits; \(strangers) may ask within a day"
                ))
        }
        if try settings.flag(.accountingPersonalData) {
            found.append(Finding(.note, "setting accounting_personal_data: addresses are written to a file"))
        }
        if try settings.flag(.softBounce) {
            found.append(Finding(.note, "setting soft_bounce: nothing bounces", advice: "for the first day only"))
        }
        return found
    }

    private static let daysOfWarning = 14
}
