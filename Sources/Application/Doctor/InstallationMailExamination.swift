import CreditLedger
import HTTPAPI
import MailMessage
import MailTypes
import Postgres
import SendingDomains

/// Looks whether who is named for the mail of this installation can send it.
enum InstallationMailExamination {
    static func findings(_ mail: InstallationMail, _ records: Records) async throws -> [Finding] {
        let found = try await ofSender(mail, records)
        guard records.signUp != nil, found.contains(where: { $0.level == .problem }) else { return found }
        return found + [Finding(.problem, "nobody can sign up: setting sign_ups_per_day needs that mail")]
    }

    private static func ofSender(_ mail: InstallationMail, _ records: Records) async throws -> [Finding] {
        let setting = "the mail of this installation"
        let balance: Int64
        do {
            balance = try await records.pool.withConnection { connection in
                try await records.ledger.balance(mail.account, on: connection).available
            }
        } catch LedgerError.accountNotFound {
            return [
                Finding(
                    .problem, "\(setting) has no sender: there is no account \(mail.account)",
                    advice: "name another with installation_mail_account")
            ]
        }
        var found: [Finding] = []
        let permission = try await records.domains.permission(mail.account, mail.sender.address.domain)
        if !permission.sends {
            found.append(
                Finding(
                    .problem,
                    "\(setting) cannot leave: \(mail.sender.address.domain) is no proven domain of account \(mail.account)",
                    advice:
                        "sluice domain add --account \(mail.account) \(mail.sender.address.domain), publish its records, verify"
                ))
        }
        if balance <= 0 {
            found.append(
                Finding(
                    .problem, "\(setting) cannot leave: account \(mail.account) has no credits",
                    advice: "sluice credits grant --account \(mail.account) 1000"))
        }
        return found.isEmpty ? [Finding(.good, "\(setting) leaves through account \(mail.account)")] : found
    }
}
