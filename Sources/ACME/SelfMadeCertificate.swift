import Crypto
import Foundation
import NIOSSL
import SwiftASN1
import X509

/// Certificates that this program makes for itself: one for the time before the first order is done, and those that answer
/// a challenge.
enum SelfMadeCertificate {
    /// What listeners show until there is a certificate. Nobody trusts it.
    static func placeholder(_ name: String) throws -> NIOSSLContextConfigurationOverride {
        try make(name, life: 365 * 86_400, [])
    }

    /// Shows to an authority that this server has the account's key (RFC 8737 §3).
    static func challenge(_ name: String, keyAuthorization: String) throws -> NIOSSLContext {
        let digest = Array(SHA256.hash(data: Array(keyAuthorization.utf8)))
        // An OCTET STRING of 32 octets in DER.
        let identifier = Certificate.Extension(
            oid: [1, 3, 6, 1, 5, 5, 7, 1, 31], critical: true, value: ([0x04, 0x20] + digest)[...])
        let made = try make(name, life: 86_400, [identifier])
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: made.certificateChain ?? [],
            privateKey: try made.privateKey ?? { throw ACMEError(.malformed, "no key") }())
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["acme-tls/1"]
        return try NIOSSLContext(configuration: configuration)
    }

    private static func make(
        _ name: String, life: TimeInterval, _ more: [Certificate.Extension]
    ) throws -> NIOSSLContextConfigurationOverride {
        let key = P256.Signing.PrivateKey()
        var extensions = try Certificate.Extensions {
            Critical(BasicConstraints.notCertificateAuthority)
            SubjectAlternativeNames([.dnsName(name)])
        }
        for one in more { try extensions.append(one) }
        // A common name has 64 characters at most (RFC 5280, upper bounds); the names that count are in the extension.
        let subject = try DistinguishedName { CommonName("sluice") }
        let certificate = try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: Certificate.PublicKey(key.publicKey),
            notValidBefore: Date(timeIntervalSinceNow: -3_600), notValidAfter: Date(timeIntervalSinceNow: life),
            issuer: subject, subject: subject, signatureAlgorithm: .ecdsaWithSHA256, extensions: extensions,
            issuerPrivateKey: Certificate.PrivateKey(key))
        var serializer = DER.Serializer()
        try serializer.serialize(certificate)
        var made = NIOSSLContextConfigurationOverride()
        made.certificateChain = [.certificate(try NIOSSLCertificate(bytes: serializer.serializedBytes, format: .der))]
        made.privateKey = .privateKey(try NIOSSLPrivateKey(bytes: Array(key.pemRepresentation.utf8), format: .pem))
        return made
    }
}
