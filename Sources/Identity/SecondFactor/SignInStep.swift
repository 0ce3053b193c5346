import Crypto
package import MailTypes

/// What stands between the password and the second factor: `account.user.generations.end.mac`, in a cookie of the browser
/// that has shown the password. It opens nothing but the second step, for ``PeopleLimits/stepSeconds``, and is over with the
/// user's password and sessions.
package struct SignInStep: Sendable {
    let account: AccountID
    let user: UserID
    let generation: SessionGeneration
    /// Seconds since 1970.
    let end: Int64
    private let mac: String

    init(_ user: User, _ generation: SessionGeneration, end: Int64, key: SymmetricKey) {
        (account, self.user, self.generation, self.end) = (user.kind.account, user.id, generation, end)
        mac = Self.mac([account.rawValue, user.id.rawValue, generation.user, generation.account, end], key)
    }

    /// - Parameter time: seconds since 1970
    /// - Returns: nil for what is none of ours, is over, or ends later than it may, because a clock was set back.
    init?(_ text: String, at time: Int64, key: SymmetricKey) {
        guard text.utf8.count <= PeopleLimits.tokenOctets else { return nil }
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        let numbers = parts.dropLast().compactMap { Int64($0) }
        guard parts.count == 6, numbers.count == 5, let mac = parts.last,
            Self.mac(numbers, key).utf8.equalsInConstantTime(mac.utf8)
        else { return nil }
        (account, user) = (AccountID(rawValue: numbers[0]), UserID(rawValue: numbers[1]))
        generation = SessionGeneration(user: numbers[2], account: numbers[3])
        end = numbers[4]
        self.mac = String(mac)
        guard time < end, end - time <= PeopleLimits.stepSeconds + PeopleLimits.stepLeewaySeconds else { return nil }
    }

    package var text: Redacted<String> {
        Redacted("\(account).\(user.rawValue).\(generation.user).\(generation.account).\(end).\(mac)")
    }

    private static func mac(_ numbers: [Int64], _ key: SymmetricKey) -> String {
        let text = "sign-in step " + numbers.map(String.init).joined(separator: " ")
        return HMAC<SHA256>.authenticationCode(for: Array(text.utf8), using: key).hexadecimal
    }
}
