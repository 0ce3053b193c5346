import CryptoExtras
import Foundation
import SwiftASN1
import Synchronization
import X509

/// The certificates that Amazon SNS signs with: fetched once from where only Amazon can put them, then kept.
package final class SigningCertificates: Sendable {
    private struct Entry {
        let fetch: Task<SigningCertificate, any Error>
        let since: ContinuousClock.Instant
        var hasFailed = false

        func isGood(at now: ContinuousClock.Instant) -> Bool {
            now - since
                < (hasFailed
                    ? .seconds(ProviderLimits.certificatePauseSeconds)
                    : .seconds(ProviderLimits.certificateHours * 3_600))
        }
    }

    private let entries = Mutex<[SNSAddress: Entry]>([:])
    private let https: AmazonHTTPS

    package init(https: AmazonHTTPS = AmazonHTTPS()) { self.https = https }

    /// For all that ask at the same time it is fetched once.
    ///
    /// - Throws: where it cannot be fetched now or within the last half minute, or is none
    func certificate(_ address: SNSAddress) async throws -> SigningCertificate {
        let now = ContinuousClock.now
        let fetch = entries.withLock { entries in
            if let entry = entries[address], entry.isGood(at: now) { return entry.fetch }
            if entries.count >= ProviderLimits.certificates,
                let oldest = entries.min(by: { $0.value.since < $1.value.since })
            {
                entries[oldest.key] = nil
            }
            let https = https
            let fetch = Task {
                try SigningCertificate(
                    pem: String(
                        decoding: await https.get(address, limit: ProviderLimits.certificateBytes), as: UTF8.self))
            }
            entries[address] = Entry(fetch: fetch, since: now)
            return fetch
        }
        do {
            return try await fetch.value
        } catch {
            entries.withLock { $0[address]?.hasFailed = true }
            throw error
        }
    }

    /// Confirms a subscription.
    func confirm(_ address: SNSAddress) async throws {
        _ = try await https.get(address, limit: 65_536)
    }
}

/// A certificate with the key of an RSA signature.
struct SigningCertificate: Sendable {
    private let publicKey: Certificate.PublicKey
    private let notBefore: Date
    private let notAfter: Date

    /// - Parameter pem: the first certificate counts.
    /// - Throws: where it cannot be read, or its key is no RSA key of 2,048 bits or more
    init(pem: String) throws {
        let end = "-----END CERTIFICATE-----"
        guard let range = pem.firstRange(of: end) else { throw AmazonHTTPS.Failed(description: "no certificate") }
        let certificate = try Certificate(pemEncoded: String(pem[..<range.upperBound]) + "\n")
        publicKey = certificate.publicKey
        guard let key = _RSA.Signing.PublicKey(publicKey), key.keySizeInBits >= 2_048 else {
            throw AmazonHTTPS.Failed(description: "the certificate's key is not RSA of 2,048 bits")
        }
        notBefore = certificate.notValidBefore
        notAfter = certificate.notValidAfter
    }

    func hasSigned(_ message: SNSMessage, now: Int64) -> Bool {
        let now = Date(timeIntervalSince1970: Double(now))
        guard notBefore <= now.addingTimeInterval(Double(ProviderLimits.clockSkewSeconds)), now <= notAfter else {
            return false
        }
        let algorithm: Certificate.SignatureAlgorithm =
            switch message.version {
            case .sha1: .sha1WithRSAEncryption
            case .sha256: .sha256WithRSAEncryption
            }
        return publicKey.isValidSignature(message.signature, for: message.signed, signatureAlgorithm: algorithm)
    }
}
