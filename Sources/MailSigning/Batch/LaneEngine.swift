import CCryptoMB

/// The arithmetic of a pass: RSA-2048 with up to eight keys at a time. It promises nothing: ``BatchSigner`` looks whether
/// what it makes is right.
///
/// Blocks and signatures lie on end, 256 octets each, as many as there are keys: one to ``lanes``. A key may stand in
/// several lanes. Any thread may call, any number at once; a call takes the thread for about a millisecond.
protocol LaneEngine: Sendable {
    /// As operators read it.
    var name: String { get }
    /// Raises each block to the private exponent of its key.
    func signatures(of blocks: [UInt8], _ keys: [LaneKey]) -> [UInt8]
    /// Raises each signature to the public exponent of its key.
    func blocks(of signatures: [UInt8], _ keys: [LaneKey]) -> [UInt8]
}

extension LaneEngine {
    static var lanes: Int { Int(CRYPTOMB_LANES) }
}
