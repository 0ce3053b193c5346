import COpenSSL

/// SHA-256 with a context that is used again and again. One thread at a time.
@safe final class SHA256Hasher {
    static let digestOctets = 32

    private let context: OpaquePointer
    private let failed: Bool

    /// Looked up once: finding an algorithm by name costs libcrypto as much as hashing a kilobyte.
    @safe private struct Algorithm: @unchecked Sendable {
        let handle: OpaquePointer?
        static let sha256 = unsafe Algorithm(handle: EVP_MD_fetch(nil, "SHA256", nil))
    }

    init() throws(DKIMError) {
        guard let context = unsafe EVP_MD_CTX_new() else { throw LibcryptoError.take("no memory for SHA-256") }
        unsafe self.context = context
        failed = unsafe EVP_DigestInit_ex2(context, Algorithm.sha256.handle, nil) != 1
        guard !failed else { throw LibcryptoError.take("SHA-256 is not available") }
    }

    deinit { unsafe EVP_MD_CTX_free(context) }

    /// Starts a new digest.
    func reset() {
        unsafe EVP_DigestInit_ex2(context, nil, nil)
    }

    func update(_ bytes: Span<UInt8>) {
        _ = unsafe bytes.withUnsafeBytes { unsafe EVP_DigestUpdate(context, $0.baseAddress, $0.count) }
    }

    /// - Parameter digest: 32 octets, overwritten.
    func finish(into digest: inout [UInt8]) {
        precondition(digest.count == Self.digestOctets)
        unsafe EVP_DigestFinal_ex(context, &digest, nil)
    }
}
