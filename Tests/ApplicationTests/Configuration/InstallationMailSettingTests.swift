import HTTPAPI
import MailMessage
import MailTypes
import Testing

@testable import Application

/// Who sends the mail of the installation: all of it is said, or nothing.
struct InstallationMailSettingTests {
    private static let whole: [Setting: String] = [
        .installationMailAccount: "7", .installationMailFrom: "Sluice <no-reply@example.net>",
        .publicURL: "https://mail.example.net",
    ]

    @Test func `account, sender and public URL are a sender`() throws {
        let mail = try #require(try Settings(isolated: Self.whole).installationMail())
        #expect(mail.account == AccountID(rawValue: 7) && mail.publicURL == "https://mail.example.net")
        #expect(mail.sender.name == "Sluice" && mail.sender.address.text == "no-reply@example.net")
        #expect(try Settings(isolated: [:]).installationMail() == nil)
        var ordered = Self.whole
        ordered[.publicURL] = nil
        ordered[.acme] = "mail.example.org"
        #expect(try Settings(isolated: ordered).installationMail()?.publicURL == "https://mail.example.org")
    }

    @Test func `strangers sign up where it is said how many, and where somebody mails them their codes`() throws {
        #expect(try Settings(isolated: Self.whole).signUpsPerDay() == 0)
        var values = Self.whole
        values[.signUpsPerDay] = "50"
        #expect(try Settings(isolated: values).signUpsPerDay() == 50)
        values[.signUpsPerDay] = "many"
        #expect(throws: SettingError.self) { _ = try Settings(isolated: values).signUpsPerDay() }
        let error = try #require(throws: SettingError.self) {
            _ = try Settings(isolated: [.signUpsPerDay: "50"]).signUpsPerDay()
        }
        #expect(error.description.contains("installation_mail_from"), "\(error)")
    }

    @Test(
        arguments: [
            (Setting.installationMailAccount, nil, "without installation_mail_account"),
            (.installationMailFrom, nil, "without installation_mail_from"), (.publicURL, nil, "public_url"),
            (.installationMailAccount, "0", "installation_mail_account"),
            (.installationMailAccount, "a", "not a number"),
            (.installationMailFrom, "nobody", "an address"),
            (.installationMailFrom, "a@example.net\nBcc: b@c.de", "an address"),
        ] as [(Setting, String?, String)])
    func `half a sender is refused`(_ setting: Setting, _ value: String?, _ words: String) throws {
        var values = Self.whole
        values[setting] = value
        let error = try #require(throws: SettingError.self) { _ = try Settings(isolated: values).installationMail() }
        #expect(error.description.contains(words), "\(error)")
    }
}
