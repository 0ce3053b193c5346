/// RSA signatures of a process since its start.
package struct SigningCounts: Sendable, Hashable, Codable {
    /// Passes by how many of their lanes were filled: one lane first.
    package var passes = [Int](repeating: 0, count: LibcryptoLanes.lanes)
    /// Signatures that libcrypto made one by one.
    package var alone = 0
    /// Signatures of a pass that did not fit their message. None of them left.
    package var mismatches = 0

    package init() {}

    package var signaturesInPasses: Int { zip(1..., passes).reduce(0) { $0 + $1.0 * $1.1 } }

    /// Nil where there was no pass.
    package var meanLanes: Double? {
        let count = passes.reduce(0, +)
        return count > 0 ? Double(signaturesInPasses) / Double(count) : nil
    }

    package static func - (later: SigningCounts, earlier: SigningCounts) -> SigningCounts {
        var difference = later
        for lane in difference.passes.indices { difference.passes[lane] -= earlier.passes[lane] }
        difference.alone -= earlier.alone
        difference.mismatches -= earlier.mismatches
        return difference
    }
}

/// How RSA signatures are made at present.
package struct SigningStatus: Sendable, Hashable, Codable {
    /// Eight at a time.
    package let isBatch: Bool
    /// The library, or why there is none; for operators.
    package let detail: String
    /// Fewer than so many wait for no others: libcrypto makes them.
    package let fewestLanes: Int
    package let counts: SigningCounts

    package init(isBatch: Bool, detail: String, fewestLanes: Int, counts: SigningCounts) {
        self.isBatch = isBatch
        self.detail = detail
        self.fewestLanes = fewestLanes
        self.counts = counts
    }
}
