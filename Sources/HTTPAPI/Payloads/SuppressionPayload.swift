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

    /// The addresses that can be taken, and those that cannot, by their place in the list.
    func parsedAddresses() throws -> ParsedAddresses {
        guard addresses.count <= APILimits.suppressionsPerCall else {
            throw Problem.invalid(
                "too_many_addresses", "At most \(APILimits.suppressionsPerCall) addresses a call.",
                fields: ["addresses"])
        }
        var parsed = ParsedAddresses()
        for (index, text) in addresses.enumerated() {
            do throws(AddressError) {
                parsed.good.append(try EmailAddress(text))
            } catch {
                parsed.bad.append((index, error))
            }
        }
        return parsed
    }

    struct ParsedAddresses: Sendable {
        var good: [EmailAddress] = []
        var bad: [(index: Int, error: AddressError)] = []
    }

    /// Checked also where there is no address to note it with.
    func parsedNote() throws(SuppressionError) -> String? {
        guard note.map(SuppressionLimits.isNote) ?? true else { throw .invalidNote }
        return note
    }

    func parsedReason() throws -> SuppressionReason {
        guard let reason else { return .manual }
        guard let parsed = SuppressionReason(rawValue: reason) else {
            throw Problem.invalid("invalid_field", "There is no such reason.", fields: ["reason"])
        }
        return parsed
    }
}
