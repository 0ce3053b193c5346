import COpenSSL
import Crypto

/// Signs digests with one key, over and over, with what is set up once. One thread at a time.
@safe final class SigningOperation {
    @safe private enum Context {
        /// An `EVP_PKEY_CTX` ready to sign SHA-256 digests.
        case rsa(OpaquePointer)
        /// Not libcrypto's: that takes almost three times as long for a signature (decision 0075).
        case ed25519(Curve25519.Signing.PrivateKey)
    }

    /// Own, not shared: signing with RSA writes blinding factors into the key.
    private let key: PrivateKey
    private let context: Context
    private let signatureOctets: Int

    init(_ key: DKIMKey) throws(DKIMError) {
        self.key = try key.privateKey.duplicate()
        signatureOctets = Int(unsafe EVP_PKEY_get_size(self.key.handle))
        switch key.algorithm {
        case .rsaSHA256: unsafe context = .rsa(try Self.makeRSAContext(self.key))
        case .ed25519SHA256: context = .ed25519(try self.key.curve25519())
        }
    }

    deinit {
        if case .rsa(let handle) = context { unsafe EVP_PKEY_CTX_free(handle) }
    }

    private static func makeRSAContext(_ key: PrivateKey) throws(DKIMError) -> OpaquePointer {
        guard let handle = unsafe EVP_PKEY_CTX_new_from_pkey(nil, key.handle, nil) else {
            throw LibcryptoError.take("no memory for a signature")
        }
        guard unsafe EVP_PKEY_sign_init(handle) == 1,
            unsafe EVP_PKEY_CTX_set_rsa_padding(handle, RSA_PKCS1_PADDING) == 1,
            unsafe EVP_PKEY_CTX_set_signature_md(handle, EVP_sha256()) == 1
        else {
            unsafe EVP_PKEY_CTX_free(handle)
            throw LibcryptoError.take("cannot prepare an RSA signature")
        }
        return unsafe handle
    }

    /// - Parameter digest: 32 octets of SHA-256.
    func sign(_ digest: [UInt8]) throws(DKIMError) -> [UInt8] {
        switch context {
        case .rsa(let handle):
            var count = signatureOctets
            var signature = [UInt8](repeating: 0, count: count)
            guard unsafe EVP_PKEY_sign(handle, &signature, &count, digest, digest.count) == 1 else {
                throw LibcryptoError.take("cannot sign")
            }
            return signature
        case .ed25519(let key):
            guard let made = try? key.signature(for: digest) else { throw DKIMError(.libraryFailure, "cannot sign") }
            return Array(made)
        }
    }
}
