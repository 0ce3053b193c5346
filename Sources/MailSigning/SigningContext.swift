/// Everything that making a signature needs besides the message: hash, keys and memory. One thread at a time.
final class SigningContext: @unchecked Sendable {
    /// What one key adds to the text of a signature.
    struct Identity: Sendable {
        let selector: String
        let key: DKIMKey
        /// The tags that are the same for all messages.
        let tags: [[UInt8]]

        init(domain: String, selector: String, key: DKIMKey) {
            self.selector = selector
            self.key = key
            tags = ["v=1;", "a=\(key.algorithm.rawValue);", "c=relaxed/relaxed;", "d=\(domain);", "s=\(selector);"]
                .map { Array($0.utf8) }
        }
    }

    private let identities: [Identity]
    private let operations: [SigningOperation]
    private var openings: [Opening?]
    private let hasher: SHA256Hasher
    private let listNames = SignedField.listNames
    private let lastListNames = SignedField.lastListNames
    /// Raw values of `SignedField` in the order of `h=`.
    private var listed: [Int] = []
    private var header = HeaderSection()
    private var digest = [UInt8](repeating: 0, count: SHA256Hasher.digestOctets)
    private var chunk = [UInt8](repeating: 0, count: 16_384)
    private var canonical: [UInt8] = []

    /// Beyond this the memory that an unusual header took is given back.
    private static let keptHeaderOctets = 65_536
    private static let fieldName = Array("DKIM-Signature:".utf8)

    init(_ identities: [Identity]) throws(DKIMError) {
        self.identities = identities
        hasher = try SHA256Hasher()
        var operations: [SigningOperation] = []
        for identity in identities { operations.append(try SigningOperation(identity.key)) }
        self.operations = operations
        openings = [Opening?](repeating: nil, count: identities.count)
    }

    /// The start of a signature field, up to the body hash. Messages of one campaign share it for a second at a time.
    private struct Opening {
        let seconds: Int64
        let counts: [Int]
        let text: FoldedWriter
    }

    /// The fields of a message, each complete but for its signature.
    func prepare(
        _ message: Span<UInt8>, bodyOffset: Int, at seconds: Int64
    ) throws(DKIMError) -> [UnsignedField] {
        guard (0...message.count).contains(bodyOffset) else {
            throw DKIMError(.malformedMessage, "the body begins outside of the message")
        }
        let headerBytes = message.extracting(first: bodyOffset)
        try header.read(headerBytes)
        guard header.counts[SignedField.from.rawValue] > 0 else {
            throw DKIMError(.missingFrom, "the message has no From field")
        }
        let bodyHash = try hashBody(message.extracting(droppingFirst: bodyOffset))
        canonicaliseHeader(headerBytes)
        defer {
            if canonical.capacity > Self.keptHeaderOctets {
                canonical = []
                header = HeaderSection()
                for index in openings.indices { openings[index] = nil }
            }
        }

        let headerCount = canonical.count
        var fields: [UnsignedField] = []
        fields.reserveCapacity(identities.count)
        for identity in identities.indices {
            var output = opening(of: identity, at: seconds)
            output.appendTag(bodyHash)
            output.appendTag(Self.signatureTag)
            canonical.removeSubrange(headerCount...)
            RelaxedHeader.append(
                output.bytes.span, 0..<output.bytes.count, colon: Self.fieldName.count - 1, to: &canonical)
            hasher.reset()
            hasher.update(canonical.span)
            hasher.finish(into: &digest)
            fields.append(UnsignedField(digest: digest, text: output))
        }
        return fields
    }

    /// The signature of one of the keys, at once.
    func sign(_ digest: [UInt8], by identity: Int) throws(DKIMError) -> [UInt8] {
        try operations[identity].sign(digest)
    }

    /// The `bh=` tag, complete with its semicolon.
    private func hashBody(_ body: Span<UInt8>) throws(DKIMError) -> [UInt8] {
        hasher.reset()
        let hasher = hasher
        try RelaxedBody.canonicalise(body, through: &chunk) { hasher.update($0) }
        hasher.finish(into: &digest)
        var tag: [UInt8] = []
        tag.reserveCapacity(48)
        tag.append(contentsOf: "bh=".utf8)
        Base64.append(digest[...], to: &tag)
        tag.append(UInt8(ascii: ";"))
        return tag
    }

    /// The signed fields, each name's last occurrence first (RFC 6376 §5.4.2).
    private func canonicaliseHeader(_ bytes: Span<UInt8>) {
        canonical.removeAll(keepingCapacity: true)
        canonical.reserveCapacity(bytes.count + 1_024)
        for signed in header.counts.indices where header.counts[signed] > 0 {
            for field in header.fields.reversed() where field.signed == signed {
                RelaxedHeader.append(bytes, field.range, colon: field.colon, to: &canonical)
                canonical.append(0x0D)
                canonical.append(0x0A)
            }
        }
    }

    private func opening(of identity: Int, at seconds: Int64) -> FoldedWriter {
        if let opening = openings[identity], opening.seconds == seconds, opening.counts == header.counts {
            return opening.text
        }
        let opening = Opening(
            seconds: seconds, counts: header.counts, text: makeOpening(identities[identity], at: seconds))
        openings[identity] = opening
        return opening.text
    }

    private func makeOpening(_ identity: Identity, at seconds: Int64) -> FoldedWriter {
        var output = FoldedWriter(capacity: 1_024)
        output.append(Self.fieldName)
        for tag in identity.tags { output.appendTag(tag) }
        output.appendTag(Array("t=\(seconds);".utf8))
        listed.removeAll(keepingCapacity: true)
        for field in SignedField.allCases {
            let named = header.counts[field.rawValue] + (field.isOversigned ? 1 : 0)
            for _ in 0..<named { listed.append(field.rawValue) }
        }
        for (position, field) in listed.enumerated() {
            let name = position == listed.count - 1 ? lastListNames[field] : listNames[field]
            if position == 0 { output.appendTag(Self.listTag + name) } else { output.append(name) }
        }
        return output
    }

    private static let listTag = Array("h=".utf8)
    private static let signatureTag = Array("b=".utf8)
}
