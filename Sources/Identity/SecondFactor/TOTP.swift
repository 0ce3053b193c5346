import Crypto
import MailTypes

/// Codes that a secret makes of the time (RFC 6238): HMAC-SHA-1, a step of 30 seconds, six digits. It is what every app of
/// this kind knows, whatever else the RFC offers.
struct TOTP: Sendable {
    static let stepSeconds: Int64 = 30
    static let digits = 6
    /// RFC 4226 §4, R6.
    static let secretOctets = 20
    /// Of which a code is taken before and after the present one: clocks differ, and people type (RFC 6238 §5.2).
    static let window: Int64 = 1

    let secret: [UInt8]

    static func random() -> TOTP {
        var generator = SystemRandomNumberGenerator()
        return TOTP(secret: (0..<secretOctets).map { _ in UInt8.random(in: 0 ... .max, using: &generator) })
    }

    /// - Parameter seconds: since 1970
    static func step(at seconds: Int64) -> Int64 { seconds / stepSeconds }

    /// RFC 4226 §5.3.
    func code(at step: Int64, digits: Int = TOTP.digits) -> String {
        let counter = (0..<8).reversed().map { UInt8(truncatingIfNeeded: step >> ($0 * 8)) }
        let hash = Array(
            HMAC<Insecure.SHA1>.authenticationCode(for: counter, using: SymmetricKey(data: secret)))
        let offset = Int(hash[hash.count - 1] & 15)
        let number = hash[offset..<offset + 4].reduce(0) { $0 << 8 | UInt32($1) } & 0x7FFF_FFFF
        let text = String(UInt64(number) % (0..<digits).reduce(1) { power, _ in power * 10 })
        return String(repeating: "0", count: digits - text.utf8.count) + text
    }

    /// The step whose code this is, of those around the time that come after the last one.
    ///
    /// - Parameters:
    ///   - text: as somebody has typed it; spaces do not count
    ///   - seconds: since 1970
    ///   - last: of the last code that was taken
    /// - Returns: nil where it is no code of these
    func step(of text: String, at seconds: Int64, after last: Int64) -> Int64? {
        let code = text.utf8.filter { $0 != UInt8(ascii: " ") }
        let present = Self.step(at: seconds)
        // All are compared, so that the time does not tell which it was.
        return (present - Self.window...present + Self.window).filter {
            self.code(at: $0).utf8.equalsInConstantTime(code)
        }
        .first { $0 > last }
    }

    /// What an app reads from a QR code (Key Uri Format of Google Authenticator).
    ///
    /// - Parameter account: what the app calls it, such as the address that somebody signs in with
    func uri(account: String) -> String {
        let name = Self.percentEncoded(account)
        return "otpauth://totp/\(Self.issuer):\(name)?secret=\(Base32.text(secret))"
            + "&issuer=\(Self.issuer)&algorithm=SHA1&digits=\(Self.digits)&period=\(Self.stepSeconds)"
    }

    private static let issuer = "Sluice"

    /// All but unreserved characters (RFC 3986 §2.3).
    private static func percentEncoded(_ text: String) -> String {
        text.utf8.reduce(into: "") { encoded, octet in
            switch octet {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                encoded.unicodeScalars.append(Unicode.Scalar(octet))
            default: encoded += "%" + [octet].hexadecimal.uppercased()
            }
        }
    }
}
