import COpenSSL
import Crypto

/// Owns one `EVP_PKEY` of libcrypto. After its making it is only read, which libcrypto allows from any thread.
@safe final class PrivateKey: @unchecked Sendable {
    let handle: OpaquePointer

    private init(owning handle: OpaquePointer) { unsafe self.handle = handle }

    deinit { unsafe EVP_PKEY_free(handle) }

    var isRSA: Bool { unsafe EVP_PKEY_is_a(handle, "RSA") == 1 }
    var isEd25519: Bool { unsafe EVP_PKEY_is_a(handle, "ED25519") == 1 }
    var bits: Int { Int(unsafe EVP_PKEY_get_bits(handle)) }

    static func generateRSA(bits: Int32) throws(DKIMError) -> PrivateKey {
        try unsafe generate("RSA") { context in unsafe EVP_PKEY_CTX_set_rsa_keygen_bits(context, bits) == 1 }
    }

    static func generateEd25519() throws(DKIMError) -> PrivateKey {
        try unsafe generate("ED25519") { _ in true }
    }

    private static func generate(
        _ type: String, configure: (OpaquePointer) -> Bool
    ) throws(DKIMError) -> PrivateKey {
        guard let context = unsafe EVP_PKEY_CTX_new_from_name(nil, type, nil) else {
            throw LibcryptoError.take("cannot make a \(type) key")
        }
        defer { unsafe EVP_PKEY_CTX_free(context) }
        var handle: OpaquePointer?
        guard unsafe EVP_PKEY_keygen_init(context) == 1, unsafe configure(context),
            unsafe EVP_PKEY_generate(context, &handle) == 1, let handle = unsafe handle
        else {
            throw LibcryptoError.take("cannot make a \(type) key")
        }
        return unsafe PrivateKey(owning: handle)
    }

    /// Reads PKCS#8 or a type's own DER form.
    convenience init(der: [UInt8]) throws(DKIMError) {
        let read = unsafe der.withUnsafeBufferPointer { bytes -> OpaquePointer? in
            var position = bytes.baseAddress
            guard let handle = unsafe d2i_AutoPrivateKey(nil, &position, bytes.count) else { return nil }
            guard unsafe position == bytes.baseAddress.map({ unsafe $0 + bytes.count }) else {
                unsafe EVP_PKEY_free(handle)
                return nil
            }
            return unsafe handle
        }
        guard let handle = unsafe read else { throw LibcryptoError.take("not a private key in DER", code: .invalidKey) }
        unsafe self.init(owning: handle)
    }

    convenience init(pem: [UInt8]) throws(DKIMError) {
        let read = unsafe pem.withUnsafeBytes { bytes -> OpaquePointer? in
            guard let stream = unsafe BIO_new_mem_buf(bytes.baseAddress, Int32(clamping: bytes.count)) else {
                return nil
            }
            defer { unsafe BIO_free(stream) }
            // Without a callback libcrypto would ask for the password of an encrypted key on the terminal.
            return unsafe PEM_read_bio_PrivateKey(stream, nil, { _, _, _, _ in -1 }, nil)
        }
        guard let handle = unsafe read else {
            throw LibcryptoError.take("not an unencrypted private key in PEM", code: .invalidKey)
        }
        unsafe self.init(owning: handle)
    }

    /// An equal key with state of its own, so that threads which sign do not meet in its locks.
    func duplicate() throws(DKIMError) -> PrivateKey {
        guard let copy = unsafe EVP_PKEY_dup(handle) else { throw LibcryptoError.take("cannot copy a key") }
        return unsafe PrivateKey(owning: copy)
    }

    /// The same key for swift-crypto; of an Ed25519 key only.
    func curve25519() throws(DKIMError) -> Curve25519.Signing.PrivateKey {
        var count = 32
        var seed = [UInt8](repeating: 0, count: count)
        defer { unsafe OPENSSL_cleanse(&seed, seed.count) }
        guard unsafe EVP_PKEY_get_raw_private_key(handle, &seed, &count) == 1, count == 32,
            let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: seed)
        else { throw LibcryptoError.take("cannot read a private key") }
        return key
    }

    /// PKCS#8.
    func der() throws(DKIMError) -> [UInt8] {
        guard let information = unsafe EVP_PKEY2PKCS8(handle) else { throw LibcryptoError.take("cannot write a key") }
        defer { unsafe PKCS8_PRIV_KEY_INFO_free(information) }
        return try unsafe Self.write { unsafe i2d_PKCS8_PRIV_KEY_INFO(information, $0) }
    }

    /// What `p=` of a key record holds: SubjectPublicKeyInfo for RSA (RFC 6376 §3.6.1 and its erratum 3017), the bare
    /// 32 octets for Ed25519 (RFC 8463 §4).
    func publicKeyForRecord() throws(DKIMError) -> [UInt8] {
        guard isEd25519 else { return try unsafe Self.write { unsafe i2d_PUBKEY(self.handle, $0) } }
        var count = 32
        var bytes = [UInt8](repeating: 0, count: count)
        guard unsafe EVP_PKEY_get_raw_public_key(handle, &bytes, &count) == 1, count == 32 else {
            throw LibcryptoError.take("cannot read a public key")
        }
        return bytes
    }

    /// Runs an `i2d` function twice, for the length and for the bytes.
    private static func write(
        _ encode: (UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>?) -> Int32
    ) throws(DKIMError) -> [UInt8] {
        let count = encode(nil)
        guard count > 0 else { throw LibcryptoError.take("cannot write a key") }
        var bytes = [UInt8](repeating: 0, count: Int(count))
        let written = unsafe bytes.withUnsafeMutableBufferPointer { buffer in
            var position = buffer.baseAddress
            return unsafe encode(&position)
        }
        guard written == count else { throw LibcryptoError.take("cannot write a key") }
        return bytes
    }
}
