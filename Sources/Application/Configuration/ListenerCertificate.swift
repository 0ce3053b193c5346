import ACME
import MailTypes
import NIOCertificateReloading
import NIOSSL
import SMTPTransport

/// Certificate chain and key of a node's listeners, wherever they come from. Connections that begin later get what is new.
protocol ListenerCertificate: Sendable {
    associatedtype Source: CertificateReloader

    var source: Source { get }
    /// For errors.
    var place: String { get }
}

extension ListenerCertificate {
    /// For the API: TLS 1.3 alone, which every client of it has.
    func web() throws -> TLSConfiguration {
        var configuration = try TLSConfiguration.makeServerConfiguration(certificateReloader: source)
        configuration.minimumTLSVersion = .tlsv13
        return configuration
    }

    /// For the mail server of the return paths.
    func mail() throws -> TLSIdentity {
        try TLSIdentity(TLSConfiguration.makeServerConfiguration(certificateReloader: source), certificateFile: place)
    }
}

extension CertificateFiles: ListenerCertificate {
    var source: TimedCertificateReloader { reloader }
    var place: String { certificateFile }
}

/// A certificate that is ordered from an authority.
struct OrderedCertificate: ListenerCertificate {
    let settings: ACMESettings
    let source: ServedCertificate

    init(_ settings: ACMESettings) throws {
        self.settings = settings
        source = try ServedCertificate(placeholderFor: settings.names.all[0].text)
    }

    var place: String { Setting.acme.key }
}
