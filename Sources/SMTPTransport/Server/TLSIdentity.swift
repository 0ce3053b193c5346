package import NIOSSL

/// A server's certificate chain and private key, ready for handshakes.
package struct TLSIdentity: Sendable {
    package let context: NIOSSLContext

    /// - Parameters:
    ///   - certificateFile: PEM, the server's certificate first.
    ///   - privateKeyFile: PEM, not encrypted.
    package init(certificateFile: String, privateKeyFile: String) throws(TLSIdentityError) {
        let chain: [NIOSSLCertificate]
        do {
            chain = try NIOSSLCertificate.fromPEMFile(certificateFile)
        } catch {
            throw TLSIdentityError(code: .certificateUnreadable, path: certificateFile)
        }
        guard !chain.isEmpty else { throw TLSIdentityError(code: .certificateUnreadable, path: certificateFile) }
        let key: NIOSSLPrivateKey
        do {
            key = try NIOSSLPrivateKey(file: privateKeyFile, format: .pem)
        } catch {
            throw TLSIdentityError(code: .privateKeyUnreadable, path: privateKeyFile)
        }
        let configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
        try self.init(configuration, certificateFile: certificateFile)
    }

    /// - Parameters:
    ///   - configuration: of a server, with its certificate and key, or what gives new ones in each handshake.
    ///   - certificateFile: for errors.
    package init(_ configuration: TLSConfiguration, certificateFile: String) throws(TLSIdentityError) {
        var configuration = configuration
        // Mail servers that know no newer version would send in the clear instead (RFC 8997 §3).
        configuration.minimumTLSVersion = .tlsv12
        do {
            context = try NIOSSLContext(configuration: configuration)
        } catch {
            throw TLSIdentityError(code: .mismatch, path: certificateFile)
        }
    }
}

/// Why a certificate and key cannot be used.
package struct TLSIdentityError: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Code: String, Sendable, Hashable {
        case certificateUnreadable = "certificate_unreadable"
        case privateKeyUnreadable = "private_key_unreadable"
        case mismatch = "certificate_and_key_do_not_match"
    }

    package let code: Code
    package let path: String

    package var description: String {
        switch code {
        case .certificateUnreadable: "no PEM certificate could be read from \(path)"
        case .privateKeyUnreadable: "no unencrypted PEM private key could be read from \(path)"
        case .mismatch: "the certificate in \(path) does not belong to the private key"
        }
    }
}
