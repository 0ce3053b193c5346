/// What RSASSA-PKCS1-v1_5 raises to the private exponent: EMSA-PKCS1-v1_5 (RFC 8017 §9.2) over a digest of SHA-256, for a
/// key of 2048 bits.
enum SignatureBlock {
    static let octets = LaneKey.bits / 8

    /// Everything before the digest: padding, and the DigestInfo of SHA-256 (RFC 8017 §9.2, note 1).
    private static let prefix: [UInt8] = {
        let digestInfo: [UInt8] = [
            0x30, 0x31, 0x30, 0x0D, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04,
            0x20,
        ]
        let padding = octets - 3 - digestInfo.count - SHA256Hasher.digestOctets
        return [0x00, 0x01] + [UInt8](repeating: 0xFF, count: padding) + [0x00] + digestInfo
    }()

    /// The blocks of some digests on end.
    static func blocks(of digests: some Sequence<[UInt8]>) -> [UInt8] {
        var blocks: [UInt8] = []
        blocks.reserveCapacity(octets * 8)
        for digest in digests {
            precondition(digest.count == SHA256Hasher.digestOctets)
            blocks += prefix
            blocks += digest
        }
        return blocks
    }

    /// The place of a lane's block or signature among others.
    static func place(_ lane: Int) -> Range<Int> { lane * octets..<(lane + 1) * octets }
}
