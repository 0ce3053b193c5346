package import Crypto
package import Foundation
package import MailTypes
package import NIOSSL
import SwiftASN1
package import X509

/// An authority that vouches for whatever a test needs.
package struct TestAuthority: Sendable {
    /// A certificate, those above it, and its key.
    package struct Identity: Sendable {
        package let key: P256.Signing.PrivateKey
        /// The server's own first.
        package let chain: [Certificate]

        package init(key: P256.Signing.PrivateKey, chain: [Certificate]) {
            self.key = key
            self.chain = chain
        }

        package func serverContext(maximumVersion: TLSVersion? = nil, minimumVersion: TLSVersion = .tlsv12) throws
            -> NIOSSLContext
        {
            let certificates = try chain.map {
                NIOSSLCertificateSource.certificate(try NIOSSLCertificate(bytes: $0.der, format: .der))
            }
            let key = try NIOSSLPrivateKey(bytes: Array(key.pemRepresentation.utf8), format: .pem)
            var configuration = TLSConfiguration.makeServerConfiguration(
                certificateChain: certificates, privateKey: .privateKey(key))
            configuration.minimumTLSVersion = minimumVersion
            configuration.maximumTLSVersion = maximumVersion
            return try NIOSSLContext(configuration: configuration)
        }

        /// The record that the certificate at `index` of the chain fits.
        package func record(
            _ usage: TLSARecord.Usage, _ selector: TLSARecord.Selector, _ matching: TLSARecord.Matching, at index: Int
        ) -> TLSARecord {
            let selected = selector == .certificate ? chain[index].der : chain[index].publicKeyInfo
            let data =
                switch matching {
                case .exact: selected
                case .sha256: Array(SHA256.hash(data: selected))
                case .sha512: Array(SHA512.hash(data: selected))
                }
            return TLSARecord(usage, selector, matching, data)
        }
    }

    package let root: Certificate
    package let rootsFile: String
    private let key: P256.Signing.PrivateKey

    package init(_ name: String = "Test Root") throws {
        key = P256.Signing.PrivateKey()
        root = try Self.make(
            name, key: key, issuer: name, issuerKey: key, names: [], isAuthority: true, validity: Self.today)
        let file = FileManager.default.temporaryDirectory.appending(path: "sluice-root-\(UUID().uuidString).pem")
        try Data(root.serializeAsPEM().pemString.utf8).write(to: file)
        rootsFile = file.path
    }

    package static let today = Date(timeIntervalSinceNow: -86_400)..<Date(timeIntervalSinceNow: 86_400)
    package static let yesterday = Date(timeIntervalSinceNow: -172_800)..<Date(timeIntervalSinceNow: -3_600)
    package static let tomorrow = Date(timeIntervalSinceNow: 3_600)..<Date(timeIntervalSinceNow: 172_800)

    /// - Parameters:
    ///   - levels: authorities between the root and the server.
    ///   - showsRoot: whether the chain ends with the root.
    package func identity(
        _ names: [String] = ["mx.example"], validity: Range<Date> = today, usage: ExtendedKeyUsage.Usage? = .serverAuth,
        levels: Int = 0, isAuthority: Bool = false, showsRoot: Bool = false
    ) throws -> Identity {
        var issuer = (name: "Test Root", key: key)
        var above = showsRoot ? [root] : []
        if let name = root.subject.commonName { issuer.name = name }
        for level in 0..<levels {
            let key = P256.Signing.PrivateKey()
            let name = "Test Level \(level)"
            above.insert(
                try Self.make(
                    name, key: key, issuer: issuer.name, issuerKey: issuer.key, names: [], isAuthority: true,
                    validity: Self.today), at: 0)
            issuer = (name, key)
        }
        let key = P256.Signing.PrivateKey()
        let leaf = try Self.make(
            names.first ?? "nobody", key: key, issuer: issuer.name, issuerKey: issuer.key, names: names,
            isAuthority: isAuthority, validity: validity, usage: usage)
        return Identity(key: key, chain: [leaf] + above)
    }

    package static func selfSigned(_ names: [String] = ["mx.example"], validity: Range<Date> = today) throws -> Identity
    {
        let key = P256.Signing.PrivateKey()
        let certificate = try make(
            "self", key: key, issuer: "self", issuerKey: key, names: names, isAuthority: false, validity: validity,
            usage: .serverAuth)
        return Identity(key: key, chain: [certificate])
    }

    /// A certificate signed by a key whose own certificate does not allow that.
    package static func forged(by identity: Identity, names: [String]) throws -> Identity {
        let key = P256.Signing.PrivateKey()
        let certificate = try make(
            "forged", key: key, issuer: identity.chain[0].subject.commonName ?? "", issuerKey: identity.key,
            names: names,
            isAuthority: false, validity: today, usage: .serverAuth)
        return Identity(key: key, chain: [certificate] + identity.chain)
    }

    private static func make(
        _ name: String, key: P256.Signing.PrivateKey, issuer: String, issuerKey: P256.Signing.PrivateKey,
        names: [String], isAuthority: Bool, validity: Range<Date>, usage: ExtendedKeyUsage.Usage? = nil
    ) throws -> Certificate {
        let extensions = try Certificate.Extensions {
            if isAuthority {
                Critical(BasicConstraints.isCertificateAuthority(maxPathLength: nil))
            } else {
                Critical(BasicConstraints.notCertificateAuthority)
            }
            if !names.isEmpty { SubjectAlternativeNames(names.map { .dnsName($0) }) }
            if let usage { try ExtendedKeyUsage([usage]) }
        }
        return try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: Certificate.PublicKey(key.publicKey),
            notValidBefore: validity.lowerBound, notValidAfter: validity.upperBound,
            issuer: DistinguishedName { CommonName(issuer) }, subject: DistinguishedName { CommonName(name) },
            signatureAlgorithm: .ecdsaWithSHA256, extensions: extensions,
            issuerPrivateKey: Certificate.PrivateKey(issuerKey))
    }
}

extension Certificate {
    /// SubjectPublicKeyInfo in DER.
    fileprivate var publicKeyInfo: [UInt8] {
        do {
            return Array(try publicKey.serializeAsPEM().derBytes)
        } catch {
            preconditionFailure("a key that cannot be written: \(error)")
        }
    }

    fileprivate var der: [UInt8] {
        var serializer = DER.Serializer()
        do {
            try serializer.serialize(self)
        } catch {
            preconditionFailure("a certificate that cannot be written: \(error)")
        }
        return serializer.serializedBytes
    }
}

extension DistinguishedName {
    fileprivate var commonName: String? {
        let text = description
        return text.hasPrefix("CN=") ? String(text.dropFirst(3)) : nil
    }
}
