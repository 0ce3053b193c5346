/// Why a text is not an address that mail can be sent to. Its description names a character, never the address.
package enum AddressError: Error, Sendable, Hashable, CustomStringConvertible {
    case empty
    case noDomain
    case noLocalPart
    case localPartTooLong
    case domainTooLong
    case tooLong
    case emptyLabel
    case domainHasOneLabel
    case domainIsAddressLiteral
    case notUTF8
    /// The first character that may not stand where it does.
    case character(Unicode.Scalar, Part)

    package enum Part: String, Sendable, Hashable {
        case localPart = "before the @"
        case domain = "in the domain"
    }

    package var description: String {
        switch self {
        case .empty: "the address is empty"
        case .noDomain: "the address has no domain"
        case .noLocalPart: "nothing stands before the @"
        case .localPartTooLong: "more than \(MailLimits.localPartOctets) octets stand before the @"
        case .domainTooLong: "the domain or one of its labels is too long"
        case .tooLong: "the address is longer than \(MailLimits.addressOctets) octets"
        case .emptyLabel: "the domain has an empty label"
        case .domainHasOneLabel: "the domain has no dot"
        case .domainIsAddressLiteral: "the domain is an IP address"
        case .notUTF8: "the address is not valid UTF-8"
        case .character(let scalar, let part):
            switch scalar.properties.generalCategory {
            case .control: "\(scalar.codePoint), a control character, stands \(part.rawValue)"
            case _ where scalar.isInvisible: "the invisible character \(scalar.codePoint) stands \(part.rawValue)"
            default: "\(scalar.codePoint) may not stand where it does \(part.rawValue)"
            }
        }
    }

    /// A stable name for programs, such as `no_domain`.
    package var code: String {
        switch self {
        case .empty: "address_empty"
        case .noDomain: "address_no_domain"
        case .noLocalPart: "address_no_local_part"
        case .localPartTooLong, .domainTooLong, .tooLong: "address_too_long"
        case .emptyLabel, .domainHasOneLabel: "address_bad_domain"
        case .domainIsAddressLiteral: "address_ip_literal"
        case .notUTF8: "address_invalid_utf8"
        case .character(let scalar, _):
            switch scalar.properties.generalCategory {
            case .control: "address_control_character"
            case _ where scalar.isInvisible: "address_invisible_character"
            default: "address_invalid_character"
            }
        }
    }
}
