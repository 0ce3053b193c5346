import CCryptoMB

/// Eight signatures in one pass of AVX-512 IFMA, by crypto_mb of Intel's Cryptography Primitives Library. Owns all that is
/// C about it.
@safe final class CryptoMB: LaneEngine, @unchecked Sendable {
    let name: String
    private let library: OpaquePointer

    /// The names of releases whose functions are those that are called here, the newest first.
    private static let sonames = ["libcrypto_mb.so.13", "libcrypto_mb.so.12", "libcrypto_mb.so.11"]

    /// - Parameter path: of the library; nil to look where the system's loader looks, and beside the executable.
    init(path: String? = nil) throws(LaneEngineFailure) {
        guard cryptomb_cpu_has_ifma() == 1 else { throw LaneEngineFailure("the CPU has no AVX-512 IFMA") }
        let names = path.map { [$0] } ?? Self.sonames
        var failure = LaneEngineFailure("crypto_mb is not installed")
        if let path { failure = LaneEngineFailure("\(path) cannot be loaded") }
        for name in names {
            var found: OpaquePointer?
            let result = unsafe cryptomb_load(name, &found)
            if let library = unsafe found {
                unsafe self.library = library
                let version = unsafe String(cString: cryptomb_version(library))
                self.name = "\(version), \(name)"
                return
            }
            if result == CRYPTOMB_TOO_OLD { failure = LaneEngineFailure("\(name) is too old, or another library") }
            if result == CRYPTOMB_REFUSES { failure = LaneEngineFailure("\(name) does not work on this CPU") }
        }
        throw failure
    }

    func signatures(of blocks: [UInt8], _ keys: [LaneKey]) -> [UInt8] {
        unsafe run(cryptomb_private, blocks, keys)
    }

    func blocks(of signatures: [UInt8], _ keys: [LaneKey]) -> [UInt8] {
        unsafe run(cryptomb_public, signatures, keys)
    }

    private typealias Pass = (
        OpaquePointer, UnsafePointer<UnsafePointer<UInt64>>, UnsafePointer<UInt8>, UnsafeMutablePointer<UInt8>
    ) -> Void

    /// Empty lanes repeat the first one: a pass costs the same however many are filled.
    private func run(_ pass: Pass, _ input: [UInt8], _ keys: [LaneKey]) -> [UInt8] {
        precondition((1...Self.lanes).contains(keys.count) && input.count == keys.count * SignatureBlock.octets)
        var input = input
        var limbs = unsafe keys.map { unsafe UnsafePointer($0.limbs) }
        for _ in keys.count..<Self.lanes {
            input += input[SignatureBlock.place(0)]
            unsafe limbs.append(limbs[0])
        }
        var results = [UInt8](repeating: 0, count: input.count)
        withExtendedLifetime(keys) { unsafe pass(library, limbs, input, &results) }
        results.removeSubrange((keys.count * SignatureBlock.octets)...)
        return results
    }
}

/// Why nothing is signed in passes, in words for operators.
struct LaneEngineFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
