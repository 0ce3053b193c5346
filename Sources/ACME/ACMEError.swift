import Foundation

/// Why there is no certificate. Nothing here is secret; what an authority says is cut and cleaned.
package struct ACMEError: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Code: Sendable, Hashable {
        /// The authority said no; `type` is its word, without the prefix of RFC 8555 §6.7.
        case refused(type: String)
        /// It could not be reached, or not in time.
        case unreachable
        /// What it sent is not ACME, or beyond the bounds.
        case malformed
        /// A name was not proven.
        case unproven
        /// It offers no way to prove a name that this installation has.
        case noChallenge
    }

    package let code: Code
    package let detail: String
    /// Before which the authority does not want to be asked again, in seconds.
    package let retryAfter: Double?

    init(_ code: Code, _ detail: String, retryAfter: Double? = nil) {
        self.code = code
        self.detail = Self.clean(detail)
        self.retryAfter = retryAfter
    }

    package var description: String {
        switch code {
        case .refused(let type): "the authority refused (\(Self.clean(type))): \(detail)"
        case .unreachable: "the authority cannot be reached: \(detail)"
        case .malformed: "the authority's answer cannot be used: \(detail)"
        case .unproven: "a name was not proven: \(detail)"
        case .noChallenge: "no way to prove a name: \(detail)"
        }
    }

    private static func clean(_ text: String) -> String {
        let scalars = text.unicodeScalars.map { $0.properties.generalCategory == .control ? " " : Character($0) }
        return String(scalars.prefix(ACMELimits.problemCharacters))
    }
}

/// An error as the authority writes it (RFC 8555 §6.7, RFC 9457).
struct ACMEProblem: Decodable, Sendable {
    let type: String?
    let detail: String?
    let subproblems: [Subproblem]?

    struct Subproblem: Decodable, Sendable {
        let detail: String?
        let identifier: Identifier?
    }

    struct Identifier: Decodable, Sendable, Hashable {
        let type: String
        let value: String
    }

    /// Without the common prefix: `rateLimited`.
    var shortType: String {
        let prefix = "urn:ietf:params:acme:error:"
        let type = type ?? "unknown"
        return type.hasPrefix(prefix) ? String(type.dropFirst(prefix.count)) : type
    }

    /// For the log. What is wrong with a contact would repeat its address.
    var summary: String {
        guard !["invalidContact", "unsupportedContact"].contains(shortType) else { return "the contact is not taken" }
        let more = (subproblems ?? []).prefix(3).map { "\($0.identifier?.value ?? "?"): \($0.detail ?? "")" }
        return ([detail ?? "no reason given"] + more).joined(separator: "; ")
    }
}
