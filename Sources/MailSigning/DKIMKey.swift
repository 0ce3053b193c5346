/// A private key for DKIM, parsed once. Copies share it, and any thread may use it.
///
///     let key = try DKIMKey.generate(.rsaSHA256)
///     key.dnsRecord     // "v=DKIM1; k=rsa; p=MIIBIj…", for <selector>._domainkey.<domain>
///
/// Its description names the algorithm only.
package struct DKIMKey: Sendable, CustomStringConvertible, CustomReflectable {
    package enum Algorithm: String, Sendable, Hashable, CaseIterable {
        /// RSASSA-PKCS1-v1_5 over SHA-256 (RFC 6376 §3.3.3): what every receiver checks.
        case rsaSHA256 = "rsa-sha256"
        /// Pure Ed25519 over the SHA-256 digest (RFC 8463): short and fast, not checked everywhere, so always a second
        /// signature beside RSA.
        case ed25519SHA256 = "ed25519-sha256"
    }

    package let algorithm: Algorithm
    /// The key record of the public key (RFC 6376 §3.6.1), without the quotes of a zone file. About 410 octets for
    /// 2048-bit RSA.
    package let dnsRecord: String
    /// Unencrypted PKCS#8: seal it before it is stored.
    package let privateKeyDER: [UInt8]
    let privateKey: PrivateKey

    /// The length of an RSA key; nil for others.
    package var rsaBits: Int? { algorithm == .rsaSHA256 ? privateKey.bits : nil }

    /// Makes a new key from libcrypto's random numbers. A 2048-bit RSA key takes about 100 ms of the calling thread.
    ///
    /// - Parameter rsaBits: 2048 unless there is a reason. 1024 is the least that receivers take; TXT records of 4096-bit
    ///   keys do not fit a UDP answer.
    package static func generate(_ algorithm: Algorithm, rsaBits: Int = 2048) throws(DKIMError) -> DKIMKey {
        switch algorithm {
        case .rsaSHA256:
            guard (1024...8192).contains(rsaBits) else {
                throw DKIMError(.keyTooSmall, "an RSA key has 1024 to 8192 bits")
            }
            return try DKIMKey(PrivateKey.generateRSA(bits: Int32(rsaBits)))
        case .ed25519SHA256:
            return try DKIMKey(PrivateKey.generateEd25519())
        }
    }

    /// - Parameter privateKeyDER: PKCS#8, or PKCS#1 for RSA.
    package init(privateKeyDER: [UInt8]) throws(DKIMError) {
        try self.init(PrivateKey(der: privateKeyDER))
    }

    /// - Parameter privateKeyPEM: a `PRIVATE KEY` or `RSA PRIVATE KEY` block without a password.
    package init(privateKeyPEM: some StringProtocol) throws(DKIMError) {
        try self.init(PrivateKey(pem: Array(privateKeyPEM.utf8)))
    }

    private init(_ privateKey: PrivateKey) throws(DKIMError) {
        let type: String
        if privateKey.isRSA {
            guard privateKey.bits >= 1024 else { throw DKIMError(.keyTooSmall, "an RSA key needs 1024 bits or more") }
            algorithm = .rsaSHA256
            type = "rsa"
        } else if privateKey.isEd25519 {
            algorithm = .ed25519SHA256
            type = "ed25519"
        } else {
            throw DKIMError(.invalidKey, "DKIM knows RSA and Ed25519 keys only")
        }
        self.privateKey = privateKey
        privateKeyDER = try privateKey.der()
        dnsRecord = "v=DKIM1; k=\(type); p=" + Base64.encode(try privateKey.publicKeyForRecord())
    }

    package var description: String { "DKIMKey(\(algorithm.rawValue))" }
    package var customMirror: Mirror { Mirror(self, children: ["algorithm": algorithm.rawValue]) }
}
