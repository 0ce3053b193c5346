import Crypto
import Foundation
import MailTypes
import NIOSSL
import SMTPProtocol
import SwiftASN1
import X509

/// The certificates that a server shows in a handshake, its own first.
struct ServerChain: Sendable {
    /// What is looked at: chains in use have two to four.
    static let maximumCertificates = 16

    private let certificates: [NIOSSLCertificate]

    init(_ certificates: [NIOSSLCertificate]) {
        self.certificates = Array(certificates.prefix(Self.maximumCertificates))
    }

    enum Name: Sendable, Hashable {
        case host(String)
        case address(IPAddress)
    }

    // MARK: Trusted roots (RFC 5280, RFC 6125)

    /// - Parameter names: one of them must be in the server's certificate.
    /// - Returns: what is wrong with the chain; nil if nothing is.
    func fault(roots: CertificateStore, names: some Collection<Name>) async -> DeliveryReport.Cause? {
        guard let leaf = parsed(0) else { return .certificateNotTrusted }
        let intermediates = intermediates()
        var verifier = Verifier(rootCertificates: roots) {
            RFC5280Policy()
            ServerPurposePolicy()
        }
        if case .couldNotValidate(let failures) = await verifier.validate(leaf: leaf, intermediates: intermediates) {
            let isExpired = failures.contains { $0.chain.contains(where: Self.isOutsideValidity) }
            return isExpired ? .certificateExpired : .certificateNotTrusted
        }
        for name in names {
            var verifier = Verifier(rootCertificates: roots) {
                RFC5280Policy()
                ServerPurposePolicy()
                name.policy
            }
            if case .validCertificate = await verifier.validate(leaf: leaf, intermediates: intermediates) { return nil }
        }
        return .certificateNameMismatch
    }

    private func parsed(_ index: Int) -> Certificate? {
        guard index < certificates.count else { return nil }
        return try? Certificate(derEncoded: certificates[index].toDERBytes())
    }

    private struct Issuer: Hashable {
        let subject: DistinguishedName
        let key: Certificate.PublicKey
    }

    /// One for each name and key: so each certificate has at most one issuer here, and a hostile server cannot make the
    /// search for a chain branch.
    private func intermediates() -> CertificateStore {
        var issuers: [Issuer: Certificate] = [:]
        for certificate in certificates.indices.dropFirst().compactMap(parsed) {
            let issuer = Issuer(subject: certificate.subject, key: certificate.publicKey)
            if issuers[issuer] == nil { issuers[issuer] = certificate }
        }
        return CertificateStore(issuers.values)
    }

    private static func isOutsideValidity(_ certificate: Certificate) -> Bool {
        let now = Date()
        return now < certificate.notValidBefore || now > certificate.notValidAfter
    }

    // MARK: DANE (RFC 7672 §3)

    func fault(_ policy: DANEPolicy) async -> DeliveryReport.Cause? {
        let records = Self.strongest(policy.records)
        // DANE-EE: neither name nor validity nor issuer matter (§3.1.1).
        if records.contains(where: { $0.usage == .endEntity && matches($0, at: 0) }) { return nil }
        let anchors = certificates.indices.dropFirst().filter { index in
            records.contains { $0.usage == .trustAnchor && matches($0, at: index) }
        }
        guard !anchors.isEmpty else { return .tlsaMismatch }
        return await fault(
            roots: CertificateStore(anchors.compactMap(parsed)), names: policy.names.map { Name.host($0) })
    }

    /// Of several digests of the same thing, only the strongest counts (RFC 7671 §9).
    private static func strongest(_ records: Set<TLSARecord>) -> Set<TLSARecord> {
        records.filter { record in
            guard record.matching == .sha256 else { return true }
            return !records.contains {
                $0.matching == .sha512 && $0.usage == record.usage && $0.selector == record.selector
            }
        }
    }

    private func matches(_ record: TLSARecord, at index: Int) -> Bool {
        guard index < certificates.count, let selected = selected(record.selector, at: index) else { return false }
        switch record.matching {
        case .exact: return selected == record.data
        case .sha256: return SHA256.hash(data: selected) == record.data
        case .sha512: return SHA512.hash(data: selected) == record.data
        }
    }

    private func selected(_ selector: TLSARecord.Selector, at index: Int) -> [UInt8]? {
        switch selector {
        case .certificate: try? certificates[index].toDERBytes()
        case .publicKey: try? certificates[index].extractPublicKey().toSPKIBytes()
        }
    }
}

extension ServerChain.Name {
    fileprivate var policy: ServerIdentityPolicy {
        switch self {
        case .host(let name): ServerIdentityPolicy(serverHostname: name, serverIP: nil)
        case .address(let address): ServerIdentityPolicy(serverHostname: nil, serverIP: address.description)
        }
    }
}

/// The certificate must be for servers, if it says what it is for (RFC 5280 §4.2.1.12).
private struct ServerPurposePolicy: VerifierPolicy {
    /// The names are looked at afterwards.
    let verifyingCriticalExtensions: [ASN1ObjectIdentifier] = [
        .X509ExtensionID.extendedKeyUsage, .X509ExtensionID.subjectAlternativeName,
    ]

    func chainMeetsPolicyRequirements(chain: UnverifiedCertificateChain) -> PolicyEvaluationResult {
        do {
            guard let usages = try chain.leaf.extensions.extendedKeyUsage else { return .meetsPolicy }
            guard usages.contains(.serverAuth) || usages.contains(.any) else {
                return .failsToMeetPolicy(reason: "the certificate is not for servers")
            }
            return .meetsPolicy
        } catch {
            return .failsToMeetPolicy(reason: "the purposes of the certificate cannot be read")
        }
    }
}
