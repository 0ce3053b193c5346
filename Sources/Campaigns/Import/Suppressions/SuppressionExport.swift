package import Feedback
import FoundationEssentials
import MailTypes
import Postgres
import Vault

/// Writes a suppression list as CSV (RFC 4180) that ``SuppressionListReader`` reads again, by the same account, to the
/// microsecond. An address that the account never named has an empty cell, and its fingerprint.
package enum SuppressionExport {
    package static let header = "email,fingerprint,reason,origin,created_at,note\r\n"

    package static func row(_ suppression: Suppression) -> String {
        [
            suppression.address?.text ?? "", suppression.fingerprint.bytes.hexadecimal, suppression.reason.rawValue,
            suppression.origin.rawValue, time(suppression.createdAt), suppression.note ?? "",
        ].map(cell).joined(separator: ",") + "\r\n"
    }

    private static func cell(_ text: String) -> String {
        text.contains { ",\"\r\n;|\t".contains($0) } ? "\"" + text.replacing("\"", with: "\"\"") + "\"" : text
    }

    private static func time(_ time: PostgresTimestamp) -> String {
        let seconds = Date(timeIntervalSince1970: Double(time.seconds)).formatted(.iso8601).dropLast()
        let fraction = String(time.microseconds - time.seconds * 1_000_000)
        return seconds + "." + String(repeating: "0", count: 6 - fraction.count) + fraction + "Z"
    }
}
