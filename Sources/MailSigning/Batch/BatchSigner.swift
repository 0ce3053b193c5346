import COpenSSL
import Synchronization

/// Makes RSA-2048 signatures up to eight at a time, and looks at each before it leaves: a wrong one, from a fault of the
/// machine or the library, would reveal its key. After the first wrong one all are made by libcrypto until the process ends.
package final class BatchSigner: Sendable {
    /// Whether signatures are made in passes.
    package enum Mode: String, Sendable, CaseIterable {
        case off
        /// Where this machine can, and gains by it.
        case auto
        /// As well where it does not gain; the start fails where it cannot.
        case require
    }

    private struct State {
        var isOn: Bool
        var detail: String
        var counts = SigningCounts()
    }

    private let engine: (any LaneEngine)?
    private let fewest: Int
    private let state: Mutex<State>
    private let onMismatch: @Sendable () -> Void

    /// - Parameters:
    ///   - engine: nil to leave all to libcrypto.
    ///   - detail: why.
    ///   - fewest: signatures that are worth a pass.
    ///   - onMismatch: called once, when passes end.
    init(
        _ engine: (any LaneEngine)?, detail: String, fewest: Int = leastFilled,
        onMismatch: @escaping @Sendable () -> Void = {}
    ) {
        self.engine = engine
        self.fewest = min(max(fewest, Self.leastFilled), LibcryptoLanes.lanes)
        self.onMismatch = onMismatch
        state = Mutex(State(isOn: engine != nil, detail: detail))
    }

    /// One or two are made by libcrypto on any machine.
    private static var leastFilled: Int { 3 }

    /// Signs with libcrypto, one by one.
    package static var libcrypto: BatchSigner { BatchSigner(nil, detail: "switched off") }

    /// What ``start(_:library:onMismatch:)`` takes for a library instead of a path: eight lanes of libcrypto. They show on
    /// any machine how lanes are filled.
    package static let standIn = "libcrypto"

    /// Looks for the library, and tries it with a fresh key: takes about 0.2 s.
    ///
    /// - Parameters:
    ///   - library: its path; nil for the loader to find it.
    ///   - onMismatch: called once, should a signature not fit its message.
    @concurrent package static func start(
        _ mode: Mode, library: String? = nil, onMismatch: @escaping @Sendable () -> Void = {}
    ) async -> BatchSigner {
        guard mode != .off else { return .libcrypto }
        do throws(LaneEngineFailure) {
            guard library != standIn else {
                return BatchSigner(LibcryptoLanes(), detail: LibcryptoLanes().name, onMismatch: onMismatch)
            }
            return try tested(CryptoMB(path: library), mode, onMismatch)
        } catch {
            return BatchSigner(nil, detail: error.description)
        }
    }

    static func tested(
        _ engine: some LaneEngine, _ mode: Mode, _ onMismatch: @escaping @Sendable () -> Void = {}
    ) throws(LaneEngineFailure) -> BatchSigner {
        let fewest = try LaneSelfTest.run(engine)
        guard fewest <= LibcryptoLanes.lanes || mode == .require else {
            throw LaneEngineFailure("libcrypto is as fast here as \(engine.name)")
        }
        return BatchSigner(engine, detail: engine.name, fewest: fewest, onMismatch: onMismatch)
    }

    package var status: SigningStatus {
        state.withLock { state in
            SigningStatus(isBatch: state.isOn, detail: state.detail, fewestLanes: fewest, counts: state.counts)
        }
    }

    var isOn: Bool { state.withLock(\.isOn) }

    func countAlone(_ number: Int) { state.withLock { $0.counts.alone += number } }

    /// The key as a pass takes it. It is tried first: one that was made up wrongly would look like a fault of the machine.
    ///
    /// - Returns: nil where its signatures are libcrypto's.
    func qualified(_ key: PrivateKey) -> LaneKey? {
        guard let engine, let key = LaneKey(key) else { return nil }
        let blocks = SignatureBlock.blocks(of: [[UInt8](repeating: 0x5A, count: SHA256Hasher.digestOctets)])
        return engine.blocks(of: engine.signatures(of: blocks, [key]), [key]) == blocks ? key : nil
    }

    /// Makes signatures, in passes as long as enough are left.
    func make(_ signatures: [PendingSignature]) {
        var rest = signatures[...]
        while let engine, rest.count >= fewest, isOn {
            pass(of: engine, Array(rest.prefix(LibcryptoLanes.lanes)))
            rest = rest.dropFirst(LibcryptoLanes.lanes)
        }
        for signature in rest { makeAlone(signature) }
    }

    private func pass(of engine: any LaneEngine, _ lanes: [PendingSignature]) {
        let keys = lanes.map(\.key)
        var made = engine.signatures(of: SignatureBlock.blocks(of: lanes.map(\.digest)), keys)
        let seen = engine.blocks(of: made, keys)
        // Built anew: a fault that spoils what was signed must not spoil what it is compared with.
        let expected = SignatureBlock.blocks(of: lanes.map(\.digest))
        var wrong: [PendingSignature] = []
        for (lane, signature) in lanes.enumerated() {
            let place = SignatureBlock.place(lane)
            // A number from n on would pass the comparison and be refused by receivers (RFC 8017 §5.2.2).
            if seen[place] == expected[place], made[place].lexicographicallyPrecedes(signature.key.modulus) {
                signature.finish(.success(Array(made[place])))
            } else {
                wrong.append(signature)
            }
        }
        state.withLock { state in
            state.counts.passes[lanes.count - 1] += 1
            state.counts.mismatches += wrong.count
        }
        guard !wrong.isEmpty else { return }
        unsafe OPENSSL_cleanse(&made, made.count)
        switchOff()
        for signature in wrong { makeAlone(signature) }
    }

    private func switchOff() {
        let wasOn = state.withLock { state in
            defer {
                state.isOn = false
                state.detail = "switched off, after a signature that did not fit its message"
            }
            return state.isOn
        }
        if wasOn { onMismatch() }
    }

    private func makeAlone(_ signature: PendingSignature) {
        countAlone(1)
        do throws(DKIMError) {
            signature.finish(.success(try signature.signer.sign(signature.digest, by: signature.identity)))
        } catch {
            signature.finish(.failure(error))
        }
    }
}
