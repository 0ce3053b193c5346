import Foundation
import Logging
import NIOCertificateReloading
import NIOSSL

/// Certificate chain and key of a node's listeners. The files are read anew every minute and at SIGHUP; connections that
/// begin after that get what is new, and a pair that cannot be used changes nothing.
struct CertificateFiles: Sendable {
    /// To be run beside the listeners.
    let reloader: TimedCertificateReloader
    let certificateFile: String

    /// Nil where none is set.
    ///
    /// - Throws: ``SettingError``
    init?(_ settings: Settings, logger: Logger) throws {
        guard let certificate = settings.text(.tlsCertificate) else {
            guard settings.text(.tlsKey) == nil else {
                throw SettingError(setting: .tlsCertificate, problem: "a key needs its certificate")
            }
            return nil
        }
        guard let key = settings.text(.tlsKey) else {
            throw SettingError(setting: .tlsKey, problem: "a certificate needs its key")
        }
        var files = TimedCertificateReloader.Configuration(
            refreshInterval: .seconds(60), certificateSource: .init(location: .file(path: certificate), format: .pem),
            privateKeySource: .init(location: .file(path: key), format: .pem))
        do {
            try TimedCertificateReloader(configuration: files).reload()
        } catch {
            throw SettingError(setting: .tlsCertificate, problem: "certificate or key cannot be used: \(error)")
        }
        files.onCertificateLoaded = { change in
            guard let previous = change.previousCertificateChain, previous != change.currentCertificateChain else {
                return
            }
            logger.notice("certificate reloaded", metadata: ["file": "\(certificate)"])
        }
        files.onCertificateLoadFailed = { failure in
            logger.warning(
                "certificate not reloaded: the old one stays",
                metadata: ["file": "\(certificate)", "key_file": "\(key)", "error": "\(failure.error)"])
        }
        certificateFile = certificate
        reloader = try TimedCertificateReloader.makeReloaderValidatingSources(configuration: files)
    }

    /// When the server's certificate ends, in seconds since 1970.
    func expiry() -> Int64? {
        guard case .certificate(let leaf) = reloader.sslContextConfigurationOverride.certificateChain?.first else {
            return nil
        }
        return Int64(leaf.notValidAfter)
    }
}
