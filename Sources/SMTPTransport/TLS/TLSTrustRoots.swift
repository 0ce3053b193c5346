import NIOSSL
import SwiftASN1
import Synchronization
import X509

/// The certificates of the authorities that are trusted, read once in a process.
enum TLSTrustRoots {
    private static let files = Mutex<[String: CertificateStore]>([:])

    /// - Parameter file: PEM; nil for the system's.
    static func store(file: String?) throws -> CertificateStore {
        guard let file else { return .systemTrustRoots }
        return try files.withLock { files in
            if let store = files[file] { return store }
            // One that cannot be read vouches for nobody and need not keep the others from doing so.
            let certificates = try NIOSSLCertificate.fromPEMFile(file)
                .compactMap { try? Certificate(derEncoded: $0.toDERBytes()) }
            let store = CertificateStore(certificates)
            files[file] = store
            return store
        }
    }
}
