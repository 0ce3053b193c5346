/// Why the vault refused. The detail is for people; it never holds a key or personal data.
package struct VaultError: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Code: String, Sendable, CaseIterable {
        /// The master key from the environment or the file is not 32 octets of hex or base64.
        case malformedMasterKey = "malformed_master_key"
        /// The master key's file cannot be read or made, or others than its owner may read it.
        case unreadableMasterKey = "unreadable_master_key"
        /// The vault was filled under another master key.
        case wrongMasterKey = "wrong_master_key"
        /// Key material of another size than 32 octets.
        case malformedKey = "malformed_key"
        /// A sealed value does not open: altered, moved, or sealed under another key.
        case notAuthentic = "not_authentic"
        case sealingFailed = "sealing_failed"
        /// The campaign's key was destroyed; its data cannot be read again.
        case destroyed
        /// The vault never had a key for the campaign or the account.
        case noKey = "no_key"
        /// The campaign has a key already, or had one.
        case keyExists = "key_exists"
        /// The vault has lost the account's key: nothing of the account can be done until it is restored.
        case accountKeyMissing = "account_key_missing"
        /// The account's key does not open, or is not the one that the account was made with.
        case accountKeyWrong = "account_key_wrong"
    }

    package let code: Code
    package let detail: String

    package init(_ code: Code, _ detail: String) {
        self.code = code
        self.detail = detail
    }

    /// Whether it stops all of the account, and only an operator can help.
    package var stopsAccount: Bool { [.accountKeyMissing, .accountKeyWrong, .noKey].contains(code) }

    package var description: String { detail }
}
