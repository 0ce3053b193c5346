/// Why an operation on a sending domain was refused. The detail is for people.
package struct SendingDomainError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Stable names for programs.
    package enum Code: String, Sendable, Hashable, CaseIterable {
        /// There is no such account.
        case notFound = "not_found"
        /// The account has no such sending domain.
        case domainNotFound = "domain_not_found"
        case domainExists = "domain_exists"
        /// A campaign that is not finished sends from the domain.
        case domainInUse = "domain_in_use"
        /// Another account has proven the domain.
        case domainTaken = "domain_taken"
        /// Anybody can register names below it.
        case publicSuffix = "public_suffix"
        /// The list of public suffixes cannot be read.
        case suffixesUnknown = "public_suffixes_unknown"
        case tooManyDomains = "too_many_domains"
        /// A key that cannot sign mail.
        case invalidKey = "invalid_key"
        case keyNotFound = "key_not_found"
        case invalidSetting = "invalid_setting"
        /// A stored value cannot be read.
        case malformedRecord = "malformed_record"
    }

    package let code: Code
    package let detail: String

    package init(_ code: Code, _ detail: String) {
        self.code = code
        self.detail = detail
    }

    package var description: String { detail }

    static let domainNotFound = SendingDomainError(.domainNotFound, "there is no such sending domain")
    static let malformed = SendingDomainError(.malformedRecord, "a stored value cannot be read")
}
