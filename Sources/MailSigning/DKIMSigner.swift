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
/// own, which are kept for the next message.
package final class DKIMSigner: Sendable {
    package let domain: DomainName

    private let identities: [SigningContext.Identity]
    /// Contexts that no thread uses now. There are never more than threads that signed at the same time.
    private let idle = Mutex<[SigningContext]>([])

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
        let context =
            if let waiting = idle.withLock({ $0.popLast() }) { waiting } else { try SigningContext(identities) }
        defer { idle.withLock { $0.append(context) } }
        return try context.sign(message.span, bodyOffset: bodyOffset, at: seconds)
    }
}
