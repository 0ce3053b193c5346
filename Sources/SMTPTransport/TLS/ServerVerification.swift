import MailTypes
import NIOSSL
import SMTPProtocol
import X509

/// Which certificates a policy lets a server show.
enum ServerVerification: Sendable {
    case trusted(roots: CertificateStore, name: ServerChain.Name)
    case dane(DANEPolicy)

    /// - Returns: nil where the policy does not look at the certificate.
    init?(_ policy: SMTPTLSPolicy, target: SMTPTarget, trustRootsFile: String?) throws {
        switch policy {
        case .never, .opportunistic, .required(verify: false), .refused: return nil
        case .required(verify: true), .testing:
            self = .trusted(
                roots: try TLSTrustRoots.store(file: trustRootsFile),
                name: target.serverName.map { .host($0) } ?? .address(target.address))
        case .dane(let policy): self = .dane(policy)
        }
    }

    func fault(_ certificates: [NIOSSLCertificate]) async -> DeliveryReport.Cause? {
        let chain = ServerChain(certificates)
        switch self {
        case .trusted(let roots, let name): return await chain.fault(roots: roots, names: [name])
        case .dane(let policy): return await chain.fault(policy)
        }
    }
}
