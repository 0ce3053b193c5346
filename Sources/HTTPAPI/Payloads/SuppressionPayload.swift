import Feedback
import Foundation
import HTTPTypes
import MailTypes

/// The body of `POST /v1/suppressions`.
struct SuppressionPayload: StrictPayload {
    let addresses: [String]
    let reason: String?
    /// For people; holds no address.
    let note: String?

    enum CodingKeys: String, CodingKey, CaseIterable {
        case addresses, reason, note
    }

    /// - Throws: a problem that names the position, not the address.
    func parsedAddresses() throws -> [EmailAddress] {
        guard addresses.count <= APILimits.suppressionsPerCall else {
            throw Problem.invalid(
                "too_many_addresses", "At most \(APILimits.suppressionsPerCall) addresses a call.",
                fields: ["addresses"])
        }
        return try addresses.enumerated().map { index, text in
            do throws(AddressError) {
                return try EmailAddress(text)
            } catch {
                throw Problem(error, field: "addresses.\(index)")
            }
        }
    }

    func parsedReason() throws -> SuppressionReason {
        guard let reason else { return .manual }
        guard let parsed = SuppressionReason(rawValue: reason) else {
            throw Problem.invalid("invalid_field", "There is no such reason.", fields: ["reason"])
        }
        return parsed
    }
}
