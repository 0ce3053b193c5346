import ACME
import Foundation
import MailTypes

/// From whom a certificate is ordered, and for which names.
struct ACMESettings: Sendable {
    let authority: Authority
    let names: CertificateNames

    /// Nil where no names are given.
    ///
    /// - Throws: ``SettingError``
    init?(_ settings: Settings) throws {
        guard let text = settings.text(.acme) else {
            for setting in [Setting.acmeDirectory, .acmeContact, .acmeRoots] where settings.text(setting) != nil {
                throw SettingError(setting: setting, problem: "says nothing without the names of acme")
            }
            return nil
        }
        for setting in [Setting.tlsCertificate, .tlsKey] where settings.text(setting) != nil {
            throw SettingError(setting: .acme, problem: "there is a certificate already: leave out \(setting.key)")
        }
        names = try Self.names(text)
        let directory = settings.value(.acmeDirectory)
        guard let url = URLComponents(string: directory), url.scheme == "https", url.host?.isEmpty == false,
            url.user == nil, url.fragment == nil, directory.utf8.count <= 1_000
        else { throw SettingError(setting: .acmeDirectory, problem: "\(directory) is not an https URL") }
        authority = Authority(
            directory: directory, contacts: try Self.contacts(settings.text(.acmeContact)),
            trustRootsFile: try Self.roots(settings.text(.acmeRoots)))
    }

    private static func names(_ text: String) throws -> CertificateNames {
        let names = try parts(text).map { name in
            guard !name.hasPrefix("*") else {
                throw SettingError(
                    setting: .acme,
                    problem: "\(name): wildcards are proven by the DNS alone, which Sluice does not change")
            }
            guard let domain = try? DomainName(name) else {
                throw SettingError(setting: .acme, problem: "\(name) is not a host name such as news.example.com")
            }
            return domain
        }
        guard let all = CertificateNames(names) else {
            throw SettingError(setting: .acme, problem: "1 to \(ACMELimits.names) names fit on a certificate")
        }
        return all
    }

    private static func contacts(_ text: String?) throws -> [EmailAddress] {
        let contacts = try parts(text ?? "").map { text in
            guard let address = try? EmailAddress(text), !address.needsSMTPUTF8 else {
                throw SettingError(setting: .acmeContact, problem: "a contact is a mail address in ASCII")
            }
            return address
        }
        guard contacts.count <= mostContacts else {
            throw SettingError(setting: .acmeContact, problem: "\(mostContacts) contacts at most")
        }
        return contacts
    }

    private static func roots(_ file: String?) throws -> String? {
        guard let file else { return nil }
        guard FileManager.default.isReadableFile(atPath: file) else {
            throw SettingError(setting: .acmeRoots, problem: "the file \(file) cannot be read")
        }
        return file
    }

    private static func parts(_ text: String) -> [String] {
        text.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
    }

    private static let mostContacts = 10
}
