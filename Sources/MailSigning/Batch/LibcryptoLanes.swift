import COpenSSL

/// Lane after lane by libcrypto. It stands in for crypto_mb where the CPU lacks IFMA, so that all around it can be tested
/// and its lanes be counted; it is no faster than signing alone.
struct LibcryptoLanes: LaneEngine {
    let name = "libcrypto, lane after lane"

    func signatures(of blocks: [UInt8], _ keys: [LaneKey]) -> [UInt8] {
        unsafe Self.each(blocks, keys, EVP_PKEY_sign_init, EVP_PKEY_sign)
    }

    func blocks(of signatures: [UInt8], _ keys: [LaneKey]) -> [UInt8] {
        unsafe Self.each(signatures, keys, EVP_PKEY_verify_recover_init, EVP_PKEY_verify_recover)
    }

    private typealias Begin = (OpaquePointer?) -> Int32
    private typealias Work = (
        OpaquePointer?, UnsafeMutablePointer<UInt8>?, UnsafeMutablePointer<Int>?, UnsafePointer<UInt8>?, Int
    ) -> Int32

    /// Zeros in a lane that fails.
    private static func each(_ input: [UInt8], _ keys: [LaneKey], _ begin: Begin, _ work: Work) -> [UInt8] {
        var results: [UInt8] = []
        for (lane, key) in keys.enumerated() {
            results += unsafe power(Array(input[SignatureBlock.place(lane)]), key, begin, work)
        }
        return results
    }

    private static func power(_ input: [UInt8], _ key: LaneKey, _ begin: Begin, _ work: Work) -> [UInt8] {
        let zeros = [UInt8](repeating: 0, count: SignatureBlock.octets)
        guard let context = unsafe EVP_PKEY_CTX_new_from_pkey(nil, key.privateKey.handle, nil) else { return zeros }
        defer {
            unsafe EVP_PKEY_CTX_free(context)
            ERR_clear_error()
        }
        var result = zeros
        var count = result.count
        guard unsafe begin(context) == 1, unsafe EVP_PKEY_CTX_set_rsa_padding(context, RSA_NO_PADDING) == 1,
            unsafe work(context, &result, &count, input, input.count) == 1, count == zeros.count
        else { return zeros }
        return result
    }
}
