/// What a check of a message's DKIM signatures found.
package struct DKIMVerification: Sendable, Hashable {
    package enum Result: Sendable, Hashable {
        case pass
        case fail(Failure)
    }

    package enum Failure: String, Sendable, Hashable {
        /// The body is not the one that was signed.
        case bodyHashMismatch = "body_hash_mismatch"
        /// A signed header field is not the one that was signed, or the key is another.
        case signatureMismatch = "signature_mismatch"
        case keyNotFound = "key_not_found"
        /// The key record is malformed, revoked, too small, or for something else.
        case keyUnusable = "key_unusable"
        case algorithmUnsupported = "algorithm_unsupported"
        case expired
        /// The signature field breaks RFC 6376, or its time is in the future.
        case signatureMalformed = "signature_malformed"
    }

    package struct Signature: Sendable, Hashable {
        /// `d=`
        package let domain: String
        /// `s=`
        package let selector: String
        /// `a=`, such as `rsa-sha256`; empty where it could not be read.
        package let algorithm: String
        package let result: Result
    }

    /// In the order of the message.
    package let signatures: [Signature]

    /// Whether at least one signature holds; others may not (RFC 6376 §6.1).
    package var passes: Bool { signatures.contains { $0.result == .pass } }
}
