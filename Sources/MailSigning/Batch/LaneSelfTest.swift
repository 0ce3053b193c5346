/// What an engine shows before it gets mail.
enum LaneSelfTest {
    /// Signs with a fresh key in every lane, compares with libcrypto, and measures both.
    ///
    /// - Returns: how many signatures make a pass faster than libcrypto makes them one by one; more than an engine has
    ///   lanes where it is never faster.
    /// - Throws: ``LaneEngineFailure`` where one octet differs.
    static func run(_ engine: some LaneEngine) throws(LaneEngineFailure) -> Int {
        let (fresh, lanes) = (try? DKIMKey.generate(.rsaSHA256), LibcryptoLanes.lanes)
        guard let key = fresh.flatMap({ LaneKey($0.privateKey) }) else {
            throw LaneEngineFailure("no key could be made for its test")
        }
        let keys = [LaneKey](repeating: key, count: lanes)
        var generator = SystemRandomNumberGenerator()
        let blocks = SignatureBlock.blocks(
            of: keys.map { _ in
                (0..<SHA256Hasher.digestOctets).map { _ in .random(in: .min ... .max, using: &generator) }
            })
        let expected = LibcryptoLanes().signatures(of: blocks, keys)
        guard engine.signatures(of: blocks, keys) == expected, engine.blocks(of: expected, keys) == blocks else {
            throw LaneEngineFailure("\(engine.name) failed its test")
        }
        let pass = shortest {
            _ = engine.blocks(of: engine.signatures(of: blocks, keys), keys)
        }
        let one = Array(blocks[SignatureBlock.place(0)])
        let alone = shortest { _ = LibcryptoLanes().signatures(of: one, [key]) }
        return Int((pass / alone).rounded(.up))
    }

    /// The best of a few: what else the machine does makes others longer.
    private static func shortest(_ work: () -> Void) -> Double {
        (0..<6).map { _ in ContinuousClock().measure(work) / .microseconds(1) }.min() ?? 0
    }
}
