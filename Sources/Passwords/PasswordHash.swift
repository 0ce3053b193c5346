import CCrypt
import MailTypes

/// A bcrypt hash as `crypt(5)` writes it: `$2b$`, two digits of cost, 22 characters of salt, 31 of hash.
package struct PasswordHash: Sendable, Hashable, CustomStringConvertible, CustomReflectable {
    /// What is stored. No secret that opens anything, but what a thief would guess against: not for logs.
    package let text: String

    /// - Returns: nil for what is no such hash.
    package init?(_ text: String) {
        guard text.utf8.count == Self.octets, text.hasPrefix(Self.prefix) else { return nil }
        self.text = text
    }

    package var description: String { "<redacted>" }
    package var customMirror: Mirror { Mirror(self, children: []) }

    private static let prefix = "$2b$"
    private static let octets = 60

    /// Takes some 0.2 s of a processor at a cost of 12.
    ///
    /// - Parameter cost: logarithm of the rounds, 4…31
    static func make(of password: String, cost: Int) throws(PasswordError) -> PasswordHash {
        var salt = [CChar](repeating: 0, count: Int(CRYPT_GENSALT_OUTPUT_SIZE))
        let isMade = unsafe salt.withUnsafeMutableBufferPointer { room in
            // Without octets of ours it takes random ones of the system.
            unsafe crypt_gensalt_rn(prefix, UInt(cost), nil, 0, room.baseAddress, Int32(room.count)) != nil
        }
        guard isMade, let end = salt.firstIndex(of: 0) else { throw .failed }
        let setting = String(decoding: salt[..<end].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard let text = crypt(password, setting), let hash = PasswordHash(text) else { throw .failed }
        return hash
    }

    /// Whether this is the hash of the password. As long as hashing takes.
    func matches(_ password: String) -> Bool {
        Self.crypt(password, text)?.utf8.equalsInConstantTime(text.utf8) ?? false
    }

    /// - Parameter setting: prefix, cost and salt; what follows is not looked at
    /// - Returns: nil where the library does not take the setting.
    private static func crypt(_ password: String, _ setting: String) -> String? {
        let octets = crypt_room()
        let room = UnsafeMutableRawPointer.allocate(byteCount: octets, alignment: 64)
        unsafe room.initializeMemory(as: UInt8.self, repeating: 0, count: octets)
        defer {
            unsafe crypt_clear(room, octets)
            unsafe room.deallocate()
        }
        guard let text = unsafe crypt_rn(password, setting, room, Int32(octets)) else { return nil }
        return unsafe String(cString: text)
    }
}
