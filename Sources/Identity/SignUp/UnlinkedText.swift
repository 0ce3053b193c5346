import MailTypes

/// What strangers choose and others read in mails of the installation: mail programs must make nothing of it that leads anywhere.
/// Looked at is the compatibility form (UAX 15, NFKC), which is what readers and programs take it for.
enum UnlinkedText {
    /// Whether an account may be called so: 1 to ``PeopleLimits/accountNameCharacters`` characters, something to see among them and
    /// nothing that is not seen, no address of any kind, and no telephone number.
    static func isAccountName(_ name: String) -> Bool {
        let scalars = name.unicodeScalars
        let composed = name.compatibilityComposed.unicodeScalars
        guard (1...PeopleLimits.accountNameCharacters).contains(scalars.count),
            composed.contains(where: { $0 != " " }),
            !composed.contains(where: { $0 != " " && $0.isInvisible }),
            !scalars.contains(where: { linking.contains($0) }),
            !composed.contains(where: { linking.contains($0) }),
            !zip(composed, composed.dropFirst()).contains(where: { $0 == "." && $1 != " " })
        else { return false }
        let digits = composed.count { $0.properties.generalCategory == .decimalNumber }
        return digits <= PeopleLimits.accountNameDigits
    }

    /// What stands in addresses of all kinds, and dots that are taken for the one of domains.
    private static let linking = Set(":/@\\<>\u{3002}\u{FF0E}\u{FF61}\u{2024}".unicodeScalars)

    /// Whether the address reads as nothing but an address of mail: `www.evil.example/pay?id=1@evil.example` is one, too.
    static func isAddress(_ address: EmailAddress) -> Bool {
        let local = address.localPart.compatibilityComposed.lowercased().unicodeScalars
        guard !local.starts(with: "www.".unicodeScalars) else { return false }
        return local.allSatisfy { scalar in
            switch scalar.properties.generalCategory {
            case .decimalNumber, .nonspacingMark, .spacingMark: true
            default: scalar.properties.isAlphabetic || "._+-'".unicodeScalars.contains(scalar)
            }
        }
    }
}
