import ACME
import ServiceLifecycle

/// Keeps the certificate of the listeners fresh until the server ends.
struct CertificateWatch: Service {
    let keeper: CertificateKeeper

    func run() async throws {
        await cancelWhenGracefulShutdown { await keeper.run() }
    }
}
