extension Collection<UInt8> {
    /// Whether both hold the same octets. The time taken tells their lengths, and not where they differ: for what a stranger
    /// shows and must not be able to guess octet by octet.
    package func equalsInConstantTime(_ other: some Collection<UInt8>) -> Bool {
        guard count == other.count else { return false }
        return zip(self, other).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
    }
}
