import Foundation

/// What a password must be to be taken: long enough to guess, short enough for bcrypt, and none of those that are tried
/// first. No rule asks for kinds of characters: they make passwords that people forget and programs guess (NIST SP
/// 800-63B §5.1.1.2).
package enum PasswordRules {
    package static let leastCharacters = 12
    /// bcrypt looks at 72 octets and no more.
    package static let mostOctets = 72

    /// A password as it is hashed: composed (NFC), because keyboards send the same letter in different ways.
    ///
    /// - Returns: nil where it can be nobody's: too long, or with what is not taken.
    package static func normalised(_ password: String) -> String? {
        let composed = password.precomposedStringWithCanonicalMapping
        guard composed.utf8.count <= mostOctets, !composed.unicodeScalars.contains(where: isControl) else { return nil }
        return composed
    }

    /// - Parameter address: the user's, which the password must not be made of
    /// - Returns: the password as it is hashed
    /// - Throws: ``PasswordError``
    package static func check(_ password: String, address: String) throws(PasswordError) -> String {
        let composed = password.precomposedStringWithCanonicalMapping
        guard !composed.unicodeScalars.contains(where: isControl) else { throw .unreadable }
        guard composed.utf8.count <= mostOctets else { throw .tooLong }
        guard composed.count >= leastCharacters else { throw .tooShort }
        let names = address.lowercased().split { "@.+-_".contains($0) }.map { Array($0.utf8) }.filter { $0.count >= 3 }
        guard !CommonPasswords.contains(composed, names: Set(names)) else { throw .tooCommon }
        return composed
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool { scalar.properties.generalCategory == .control }
}
