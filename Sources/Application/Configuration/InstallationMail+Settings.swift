import ACME
import HTTPAPI
import MailMessage
import MailTypes

extension Settings {
    /// Who sends the mail of this installation; nil where nobody is named.
    ///
    /// - Throws: ``SettingError``
    func installationMail() throws -> InstallationMail? {
        guard let from = text(.installationMailFrom) else {
            guard text(.installationMailAccount) == nil else {
                throw SettingError(
                    setting: .installationMailAccount, problem: "says nothing without installation_mail_from")
            }
            return nil
        }
        guard text(.installationMailAccount) != nil else {
            throw SettingError(
                setting: .installationMailFrom, problem: "says nothing without installation_mail_account")
        }
        let account = try number(.installationMailAccount, in: 1...Int.max)
        guard let sender = try? Mailbox.parse(from) else {
            throw SettingError(
                setting: .installationMailFrom,
                problem: "is an address, or one with a name: Sluice <no-reply@example.net>")
        }
        guard let publicURL = try peopleURL() else {
            throw SettingError(
                setting: .installationMailFrom, problem: "its mails lead to the public URL: set public_url as well")
        }
        return InstallationMail(account: AccountID(rawValue: Int64(account)), sender: sender, publicURL: publicURL)
    }

    /// How many strangers may ask for an account within a day; 0 where none may.
    ///
    /// - Throws: ``SettingError``, also where nobody would mail them their codes
    func signUpsPerDay() throws(SettingError) -> Int {
        let perDay = try number(.signUpsPerDay, in: 0...1_000_000)
        guard perDay == 0 || text(.installationMailFrom) != nil else {
            throw SettingError(
                setting: .signUpsPerDay,
                problem: "strangers are mailed codes: set installation_mail_account and installation_mail_from as well")
        }
        return perDay
    }

    /// Where people reach this installation: `https://…` without a slash at its end; nil where nobody has said so.
    func peopleURL() throws -> String? {
        if let url = text(.publicURL) { return url }
        return try ACMESettings(self)?.names.all.first.map { "https://\($0)" }
    }
}
