import NIOCertificateReloading
package import NIOSSL
import Synchronization

/// The certificate that a node's listeners show: one that nobody trusts until there is an ordered one, and always the
/// newest after that. Connections that begin later get what is new.
package final class ServedCertificate: CertificateReloader {
    private struct State {
        var current: NIOSSLContextConfigurationOverride
        /// 0 for the one that nobody trusts.
        var version: Int64 = 0
    }

    private let state: Mutex<State>

    /// - Parameter name: of the server
    package init(placeholderFor name: String) throws {
        state = Mutex(State(current: try SelfMadeCertificate.placeholder(name)))
    }

    package var sslContextConfigurationOverride: NIOSSLContextConfigurationOverride { state.withLock { $0.current } }

    package var version: Int64 { state.withLock { $0.version } }

    /// - Parameters:
    ///   - chain: PEM, the server's own first
    ///   - key: PEM
    func show(chain: String, key: String, version: Int64) throws {
        var next = NIOSSLContextConfigurationOverride()
        next.certificateChain = try NIOSSLCertificate.fromPEMBytes(Array(chain.utf8)).map { .certificate($0) }
        next.privateKey = .privateKey(try NIOSSLPrivateKey(bytes: Array(key.utf8), format: .pem))
        let ready = next
        state.withLock { $0 = State(current: ready, version: version) }
    }
}
