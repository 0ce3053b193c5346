/// Why a key could not be used, or a message not be signed or checked. No key material and no text of a message is in it.
package struct DKIMError: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Code: String, Sendable, Hashable {
        /// The bytes are not a private key, or the key is not for signing mail.
        case invalidKey = "dkim_invalid_key"
        /// RSA below 1024 bits (RFC 8301 §3.2).
        case keyTooSmall = "dkim_key_too_small"
        /// A signer without keys, or a selector twice.
        case invalidSelector = "dkim_invalid_selector"
        /// The header is not fields, or does not end where the body is said to begin.
        case malformedMessage = "dkim_malformed_message"
        /// A CR or LF that is not part of a CRLF. Servers on the way treat these differently, so no signature lasts.
        case strayLineBreak = "dkim_stray_line_break"
        /// From must be signed (RFC 6376 §5.4), and there is none.
        case missingFrom = "dkim_missing_from"
        /// libcrypto, swift-crypto or libopendkim reported an error of its own, such as exhausted memory.
        case libraryFailure = "dkim_library_failure"
    }

    package let code: Code
    package let detail: String

    init(_ code: Code, _ detail: String) {
        self.code = code
        self.detail = detail
    }

    package var description: String { "\(code.rawValue): \(detail)" }
}
