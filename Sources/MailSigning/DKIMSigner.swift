package import MailTypes
import Synchronization

/// Signs messages for one domain (RFC 6376): relaxed/relaxed, never `l=`, one signature per key.
///
///     let signer = try DKIMSigner(domain: domain, keys: [("s1", key)])
///     let fields = try signer.sign(message.bytes, bodyOffset: message.bodyOffset, at: now)
///     // send fields + message.bytes
///
/// Signing takes the calling thread for the whole time, about 0.4 ms for RSA with 2048 bits: call it from a `@concurrent`
/// function, not from an actor or an event loop. Any number of threads may sign at once; each works with contexts of its
/// own, which are kept for the next message. Where many messages are signed, a ``SigningQueue`` makes their signatures
/// together.
package final class DKIMSigner: Sendable {
    package let domain: DomainName

    private let identities: [SigningContext.Identity]
    /// Contexts that no thread uses now. There are never more than threads that signed at the same time.
    private let idle = Mutex<[SigningContext]>([])
    /// Of the keys that may share a pass, in the order of the identities; nil until somebody asks, so that no copy of a key
    /// is made for nothing.
    private let laneKeys = Mutex<[LaneKey?]?>(nil)

    /// - Parameter keys: one or more, each with its selector: dot-separated labels as in a host name (RFC 6376 §3.1). The
    ///   first key's signature comes first.
    package init(domain: DomainName, keys: [(selector: String, key: DKIMKey)]) throws(DKIMError) {
        guard !keys.isEmpty else { throw DKIMError(.invalidSelector, "a signer needs a key") }
        var identities: [SigningContext.Identity] = []
        for (selector, key) in keys {
            guard DKIMSelector.isValid(selector) else {
                throw DKIMError(.invalidSelector, "a selector is letters, digits, hyphens and dots")
            }
            let selector = selector.lowercased()
            guard !identities.contains(where: { $0.selector == selector }) else {
                throw DKIMError(.invalidSelector, "a selector stands for one key")
            }
            identities.append(SigningContext.Identity(domain: domain.text, selector: selector, key: key))
        }
        self.domain = domain
        self.identities = identities
    }

    /// - Parameters:
    ///   - message: header, empty line and body with CRLF line ends; not yet dot-stuffed.
    ///   - bodyOffset: the place of the body's first octet.
    ///   - seconds: the time of signing since 1970, for `t=`.
    /// - Returns: complete `DKIM-Signature` fields with their CRLFs, to stand in front of the message.
    /// - Throws: `DKIMError` for a message that no signature could hold for: `malformedMessage`, `strayLineBreak`,
    ///   `missingFrom`.
    package func sign(_ message: [UInt8], bodyOffset: Int, at seconds: Int64) throws(DKIMError) -> [UInt8] {
        try withContext { context throws(DKIMError) in
            var signed: [UInt8] = []
            let fields = try context.prepare(message.span, bodyOffset: bodyOffset, at: seconds)
            for (identity, field) in fields.enumerated() {
                signed += field.signed(try context.sign(field.digest, by: identity))
            }
            return signed
        }
    }

    /// The fields of a message, in the order of the keys, each complete but for its signature.
    func prepare(_ message: [UInt8], bodyOffset: Int, at seconds: Int64) throws(DKIMError) -> [UnsignedField] {
        try withContext { context throws(DKIMError) in
            try context.prepare(message.span, bodyOffset: bodyOffset, at: seconds)
        }
    }

    /// The signature of one of the keys, at once.
    func sign(_ digest: [UInt8], by identity: Int) throws(DKIMError) -> [UInt8] {
        try withContext { context throws(DKIMError) in try context.sign(digest, by: identity) }
    }

    /// The keys that may share a pass, by identity.
    ///
    /// - Parameter qualify: asked once for each key.
    func laneKeys(_ qualify: (PrivateKey) -> LaneKey?) -> [LaneKey?] {
        laneKeys.withLock { known in
            let keys = known ?? identities.map { qualify($0.key.privateKey) }
            known = keys
            return keys
        }
    }

    var rsaKeyCount: Int { identities.count { $0.key.algorithm == .rsaSHA256 } }

    private func withContext<T>(
        _ body: (SigningContext) throws(DKIMError) -> T
    ) throws(DKIMError) -> T {
        let context =
            if let waiting = idle.withLock({ $0.popLast() }) { waiting } else { try SigningContext(identities) }
        defer { idle.withLock { $0.append(context) } }
        return try body(context)
    }
}
