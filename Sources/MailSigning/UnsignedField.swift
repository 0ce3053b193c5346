/// A DKIM-Signature field without the value of its `b=` tag (RFC 6376 §3.7).
struct UnsignedField: Sendable {
    /// 32 octets of SHA-256: what is to be signed.
    let digest: [UInt8]
    private let text: FoldedWriter

    /// - Parameter text: the field up to `b=`.
    init(digest: [UInt8], text: FoldedWriter) {
        self.digest = digest
        self.text = text
    }

    /// The whole field with its CRLF.
    func signed(_ signature: [UInt8]) -> [UInt8] {
        var field = text
        var base64: [UInt8] = []
        base64.reserveCapacity(signature.count * 4 / 3 + 4)
        Base64.append(signature[...], to: &base64)
        field.appendBreakable(base64)
        field.endLine()
        return field.bytes
    }
}
