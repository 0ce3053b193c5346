/// When a file of the accounting log is full or old enough, and what its predecessors are called: `FILE.1` is the newest.
package struct AccountingLogRotation: Sendable, Hashable {
    /// Octets after which a file is closed; a line is never divided.
    package var bytes: Int
    package var seconds: Int
    /// Closed files that are kept; older ones are removed.
    package var kept: Int

    package init(bytes: Int = 100 << 20, seconds: Int = 86_400, kept: Int = 10) {
        self.bytes = bytes
        self.seconds = seconds
        self.kept = kept
    }

    /// - Parameters:
    ///   - size: of the file, in octets.
    ///   - age: seconds since its first line.
    package func isDue(size: Int, age: Double) -> Bool { size > 0 && (size >= bytes || age >= Double(seconds)) }

    /// What to rename into what, in this order; the last one of the kept is written over.
    package func moves(_ path: String) -> [(from: String, to: String)] {
        (0..<kept).reversed().map { number in
            (number == 0 ? path : "\(path).\(number)", "\(path).\(number + 1)")
        }
    }
}
