import Crypto
import Foundation
import MailTypes
import SwiftASN1
import X509

/// A certificate that an authority has made for a key of ours.
struct IssuedCertificate: Sendable {
    let chain: [Certificate]
    let key: P256.Signing.PrivateKey

    /// Looks whether it is what was ordered.
    ///
    /// - Parameter pem: the server's own first
    init(pem: String, key: P256.Signing.PrivateKey, names: CertificateNames, now: Date = Date()) throws(ACMEError) {
        let chain: [Certificate]
        do {
            chain = try PEMDocument.parseMultiple(pemString: pem).map { try Certificate(pemDocument: $0) }
        } catch {
            throw ACMEError(.malformed, "the certificate cannot be read")
        }
        guard let leaf = chain.first, chain.count <= ACMELimits.chainLength else {
            throw ACMEError(.malformed, "the chain has \(chain.count) certificates")
        }
        guard leaf.publicKey == Certificate.PublicKey(key.publicKey) else {
            throw ACMEError(.malformed, "the certificate is for another key")
        }
        let certified = Self.names(of: leaf)
        guard names.all.allSatisfy({ certified.contains($0.text) }) else {
            throw ACMEError(.malformed, "the certificate lacks a name")
        }
        guard leaf.notValidAfter > now, leaf.notValidBefore < leaf.notValidAfter else {
            throw ACMEError(.malformed, "the certificate has ended")
        }
        self.chain = chain
        self.key = key
    }

    private static func names(of certificate: Certificate) -> Set<String> {
        guard let names = try? certificate.extensions.subjectAlternativeNames else { return [] }
        return Set(
            names.compactMap { name in
                guard case .dnsName(let text) = name else { return nil }
                return text.lowercased()
            })
    }

    /// Seconds since 1970.
    var notBefore: Int64 { Int64(chain[0].notValidBefore.timeIntervalSince1970) }
    var notAfter: Int64 { Int64(chain[0].notValidAfter.timeIntervalSince1970) }

    func chainPEM() throws -> String { try chain.map { try $0.serializeAsPEM().pemString }.joined(separator: "\n") }

    /// PKCS #10 in DER (RFC 2986): the names as an extension, the subject empty.
    static func request(_ names: CertificateNames, key: P256.Signing.PrivateKey) throws -> [UInt8] {
        let extensions = try Certificate.Extensions {
            SubjectAlternativeNames(names.all.map { .dnsName($0.text) })
        }
        let nobody: [RelativeDistinguishedName] = []
        let request = try CertificateSigningRequest(
            version: .v1, subject: DistinguishedName(nobody), privateKey: Certificate.PrivateKey(key),
            attributes: CertificateSigningRequest.Attributes([
                try CertificateSigningRequest.Attribute(ExtensionRequest(extensions: extensions))
            ]), signatureAlgorithm: .ecdsaWithSHA256)
        var serializer = DER.Serializer()
        try serializer.serialize(request)
        return serializer.serializedBytes
    }
}
