import CCryptoMB
import COpenSSL

/// An RSA key as a pass takes it: its numbers in memory of their own, which nobody copies and which is wiped at the end.
@safe final class LaneKey: @unchecked Sendable {
    /// `CRYPTOMB_KEY_LIMBS` of them, in the order that stands there.
    let limbs: UnsafeMutablePointer<UInt64>
    /// The same key for libcrypto.
    let privateKey: PrivateKey
    /// Octets of n, the most significant first.
    private(set) var modulus: [UInt8] = []

    private static let count = Int(CRYPTOMB_KEY_LIMBS)
    static let bits = 2_048
    private static let factorOctets = bits / 16

    /// Nil unless the key has 2048 bits, two primes of 1024 bits and the exponent 65537.
    init?(_ key: PrivateKey) {
        privateKey = key
        unsafe limbs = .allocate(capacity: Self.count)
        unsafe limbs.initialize(repeating: 0, count: Self.count)
        guard key.isRSA, key.bits == Self.bits, readParts(), hasUsualExponent, !hasThirdPrime else { return nil }
    }

    deinit {
        unsafe OPENSSL_cleanse(limbs, Self.count * MemoryLayout<UInt64>.size)
        unsafe limbs.deallocate()
    }

    private func readParts() -> Bool {
        let memory = unsafe UnsafeMutableRawBufferPointer(start: limbs, count: Self.count * MemoryLayout<UInt64>.size)
        // As EVP_PKEY-RSA(7) names them.
        let names = ["rsa-factor1", "rsa-factor2", "rsa-exponent1", "rsa-exponent2", "rsa-coefficient1"]
        for (part, name) in names.enumerated() {
            let place = part * Self.factorOctets..<(part + 1) * Self.factorOctets
            guard let bits = unsafe privateKey.number(name, to: .init(rebasing: memory[place])) else { return false }
            if part < 2 && bits != Self.factorOctets * 8 { return false }
        }
        let place = names.count * Self.factorOctets..<memory.count
        guard unsafe privateKey.number("n", to: .init(rebasing: memory[place])) == Self.bits else {
            return false
        }
        modulus = unsafe memory[place].reversed()
        return true
    }

    private var hasUsualExponent: Bool {
        var exponent: UInt64 = 0
        let bits = unsafe withUnsafeMutableBytes(of: &exponent) {
            unsafe privateKey.number("e", to: $0)
        }
        return bits != nil && UInt64(littleEndian: exponent) == 65_537
    }

    private var hasThirdPrime: Bool {
        unsafe withUnsafeTemporaryAllocation(byteCount: Self.factorOctets, alignment: 1) { memory in
            defer { unsafe OPENSSL_cleanse(memory.baseAddress, memory.count) }
            return unsafe privateKey.number("rsa-factor3", to: memory) != nil
        }
    }
}

extension PrivateKey {
    /// Writes a number of the key, the least significant octet first, and zeros behind it.
    ///
    /// - Returns: its bits; nil where the key has no such number, or it is longer than the memory.
    fileprivate func number(_ name: String, to memory: UnsafeMutableRawBufferPointer) -> Int? {
        defer { ERR_clear_error() }
        var number: OpaquePointer?
        guard unsafe EVP_PKEY_get_bn_param(handle, name, &number) == 1, let number = unsafe number else { return nil }
        defer { unsafe BN_clear_free(number) }
        let bytes = unsafe memory.baseAddress?.assumingMemoryBound(to: UInt8.self)
        guard unsafe BN_bn2lebinpad(number, bytes, Int32(memory.count)) >= 0 else { return nil }
        return Int(unsafe BN_num_bits(number))
    }
}
